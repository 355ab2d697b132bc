// OKX's REST: instruments, the newest trades, and the history of three months by id.
// https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-trades-history
import { type Fill, newestFills } from '../fills.ts';
import { countOf, type Desk, idOf, type RestAnswer, type RestProtocol } from '../protocol.ts';
import { shortText } from '../text.ts';

const answer = (data: object[]): RestAnswer => ({ status: 200, body: JSON.stringify({ code: '0', msg: '', data }) });
const refuse = (status: number, code: string, msg: string): RestAnswer => ({
  status,
  body: JSON.stringify({ code, msg, data: [] }),
});

/** As pushed and as REST lists them: everything is a text. */
export const tradeFields = (instId: string, { id, priceE8, quantityE8, buyerIsMaker, timeUs }: Fill) => ({
  instId,
  tradeId: String(id),
  px: shortText(priceE8),
  sz: shortText(quantityE8),
  side: buyerIsMaker ? 'sell' : 'buy',
  ts: String(Math.floor(timeUs / 1000)),
});

function instruments(query: URLSearchParams, desk: Desk): RestAnswer {
  if (query.get('instType') !== 'SPOT') return refuse(400, '51000', 'Parameter instType error');
  const wanted = query.get('instId');
  const all = desk.market.listings().map((listing) => ({
    instType: 'SPOT',
    instId: `${listing.baseAsset}-${listing.quoteAsset}`,
    baseCcy: listing.baseAsset,
    quoteCcy: listing.quoteAsset,
    settleCcy: '',
    tickSz: shortText(listing.tickE8),
    lotSz: shortText(listing.stepE8),
    minSz: shortText(listing.stepE8),
    state: listing.status === 'TRADING' ? 'live' : 'suspend',
  }));
  const found = wanted === null ? all : all.filter(({ instId }) => instId === wanted);
  return found.length > 0 ? answer(found) : refuse(200, '51001', "Instrument ID doesn't exist.");
}

/** Newest first. `after` asks for older ones, `before` for newer ones, of which the newest are given. */
function trades(query: URLSearchParams, desk: Desk, defaultCount: number, max: number): RestAnswer {
  const instId = query.get('instId') ?? '';
  const listing = desk.listing(instId);
  if (!listing) return refuse(200, '51001', "Instrument ID doesn't exist.");
  const byTime = query.get('type') === '2';
  if (byTime) return refuse(400, '51000', 'Parameter type error');
  const before = idOf(query.get('before'));
  const count = countOf(query.get('limit'), defaultCount, max);
  const fills = newestFills(desk.market, listing.symbol, count, idOf(query.get('after')));
  const newer = before === undefined ? fills : fills.filter((fill) => fill.id > before);
  return answer(newer.reverse().map((fill) => ({ ...tradeFields(instId, fill), source: '0' })));
}

export const okxRest: RestProtocol = {
  owns: (path) => path.startsWith('/api/v5/'),
  answer(path, query, desk) {
    if (path === '/api/v5/public/instruments') return instruments(query, desk);
    if (path === '/api/v5/market/trades') return trades(query, desk, 100, 500);
    return path === '/api/v5/market/history-trades' ? trades(query, desk, 100, 100) : null;
  },
  limit: (path) => ({ kind: path, count: path === '/api/v5/market/trades' ? 100 : 20, windowMs: 2000 }),
  refusal(why) {
    if (why === 'failed') return refuse(503, '50001', 'Service temporarily unavailable. Try again later');
    return why === 'limited' ? refuse(429, '50011', 'Too Many Requests') : refuse(403, '50110', 'Your IP is banned');
  },
};
