// Coinbase Exchange's REST: products, and trades by id.
// https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-trades
import { newestFills } from '../fills.ts';
import { countOf, type Desk, idOf, partOf, type RestAnswer, type RestProtocol } from '../protocol.ts';
import { fixedText, microsecondTime, shortText } from '../text.ts';
import type { Listing } from '../trades.ts';

const tradesMax = 1000;

const ok = (body: unknown): RestAnswer => ({ status: 200, body: JSON.stringify(body) });
const refuse = (status: number, message: string): RestAnswer => ({ status, body: JSON.stringify({ message }) });

const product = ({ baseAsset, quoteAsset, tickE8, stepE8, status }: Listing) => ({
  id: `${baseAsset}-${quoteAsset}`,
  base_currency: baseAsset,
  quote_currency: quoteAsset,
  quote_increment: shortText(tickE8),
  base_increment: shortText(stepE8),
  display_name: `${baseAsset}-${quoteAsset}`,
  post_only: false,
  limit_only: false,
  cancel_only: false,
  trading_disabled: status !== 'TRADING',
  status: status === 'TRADING' ? 'online' : 'offline',
  status_message: '',
});

/** Newest first. `after` asks for ids below it, `before` for ids above it, of which the newest are given. */
function trades(listing: Listing, query: URLSearchParams, desk: Desk): RestAnswer {
  const before = idOf(query.get('before'));
  const count = countOf(query.get('limit'), tradesMax, tradesMax);
  const fills = newestFills(desk.market, listing.symbol, count, idOf(query.get('after')))
    .filter((fill) => before === undefined || fill.id > before)
    .reverse();
  const list = fills.map(({ id, priceE8, quantityE8, buyerIsMaker, timeUs }) => ({
    trade_id: id,
    side: buyerIsMaker ? 'buy' : 'sell',
    size: fixedText(quantityE8, 8),
    price: fixedText(priceE8, 8),
    time: microsecondTime(timeUs),
  }));
  const [newest, oldest] = [fills[0], fills.at(-1)];
  const cursors = newest && oldest && { 'cb-before': String(newest.id), 'cb-after': String(oldest.id) };
  return { ...ok(list), ...(cursors && { headers: cursors }) };
}

export const coinbaseRest: RestProtocol = {
  owns: (path) => path === '/products' || path.startsWith('/products/'),
  answer(path, query, desk) {
    const [, , id, what, more] = path.split('/');
    if (id === undefined) return ok(desk.market.listings().map(product));
    const listing = desk.listing(partOf(id));
    if (!listing) return refuse(404, 'NotFound');
    if (what === undefined) return ok(product(listing));
    return what === 'trades' && more === undefined ? trades(listing, query, desk) : null;
  },
  // 10 a second, in bursts up to 15.
  limit: () => ({ kind: 'public', count: 15, windowMs: 1000 }),
  refusal(why) {
    if (why === 'failed') return refuse(500, 'Internal server error');
    return why === 'limited' ? refuse(429, 'Public rate limit exceeded') : refuse(403, 'Forbidden');
  },
};
