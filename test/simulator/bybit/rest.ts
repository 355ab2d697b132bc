// Bybit's REST: instruments, and the last 60 trades of a spot symbol, which cannot be paged.
// https://bybit-exchange.github.io/docs/v5/market/recent-trade
import { newestFills } from '../fills.ts';
import { countOf, type Desk, type RestAnswer, type RestProtocol } from '../protocol.ts';
import { shortText } from '../text.ts';
import { idText, sequenceOf, sideText, symbolOf } from './spelling.ts';

const spotTradesMax = 60;

const answer = (status: number, retCode: number, retMsg: string, result: object, timeUs = 0): RestAnswer => ({
  status,
  body: JSON.stringify({ retCode, retMsg, result, retExtInfo: {}, time: Math.floor(timeUs / 1000) }),
});

function instruments(query: URLSearchParams, desk: Desk): RestAnswer {
  const symbol = query.get('symbol');
  const listings = desk.market.listings().filter((one) => symbol === null || symbolOf(one) === symbol);
  const list = listings.map((listing) => ({
    symbol: symbolOf(listing),
    baseCoin: listing.baseAsset,
    quoteCoin: listing.quoteAsset,
    innovation: '0',
    status: 'Trading',
    marginTrading: 'none',
    lotSizeFilter: { basePrecision: shortText(listing.stepE8), minOrderQty: shortText(listing.stepE8) },
    priceFilter: { tickSize: shortText(listing.tickE8) },
  }));
  return answer(200, 0, 'OK', { category: 'spot', list }, desk.nowUs());
}

/** Newest first. */
function recentTrades(query: URLSearchParams, desk: Desk): RestAnswer {
  const symbol = query.get('symbol') ?? '';
  const listing = desk.listing(symbol);
  if (!listing) return answer(200, 10_001, 'Not supported symbols', {}, desk.nowUs());
  const count = countOf(query.get('limit'), spotTradesMax, spotTradesMax);
  const fills = newestFills(desk.market, listing.symbol, count).reverse();
  const list = fills.map(({ id, priceE8, quantityE8, buyerIsMaker, timeUs, aggregateId }) => ({
    ...{ execId: idText(id), symbol, price: shortText(priceE8), size: shortText(quantityE8) },
    ...{ side: sideText(buyerIsMaker), time: String(Math.floor(timeUs / 1000)), isBlockTrade: false },
    ...{ isRPITrade: false, seq: String(sequenceOf(aggregateId)) },
  }));
  return answer(200, 0, 'OK', { category: 'spot', list }, desk.nowUs());
}

export const bybitRest: RestProtocol = {
  owns: (path) => path.startsWith('/v5/market/'),
  answer(path, query, desk) {
    if (query.get('category') !== 'spot') return answer(200, 10_001, 'Params error: category', {}, desk.nowUs());
    if (path === '/v5/market/instruments-info') return instruments(query, desk);
    return path === '/v5/market/recent-trade' ? recentTrades(query, desk) : null;
  },
  limit: () => ({ kind: 'http', count: 600, windowMs: 5000 }),
  refusal(why) {
    if (why === 'failed') return answer(500, 10_016, 'Server error.', {});
    // 403 for both; "wait 10 minutes" is what the documentation says.
    return answer(403, 10_018, 'access too frequent, please try again in 5 mins', {});
  },
};
