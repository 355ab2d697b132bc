// Coinbase Advanced Trade's public REST: products with their second names, and the newest trades.
// https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/public/get-public-market-trades
import { coinbaseRest } from '../coinbase/rest.ts';
import { type Fill, newestFills } from '../fills.ts';
import { countOf, type Desk, partOf, type RestAnswer, type RestProtocol } from '../protocol.ts';
import { shortText, shortTime } from '../text.ts';
import type { Listing } from '../trades.ts';
import { namesOf, streamedListing } from './products.ts';

const products = '/api/v3/brokerage/market/products';
/** Not documented. */
const tradesMax = 1000;

const ok = (body: unknown): RestAnswer => ({ status: 200, body: JSON.stringify(body) });
const refuse = (status: number, error: string, message: string): RestAnswer => ({
  status,
  body: JSON.stringify({ error, error_details: message, message }),
});
const notFound = refuse(404, 'NOT_FOUND', 'product not found');

/** Of a frame and of REST alike. */
export const tradeFields = (listing: Listing, { id, priceE8, quantityE8, buyerIsMaker, timeUs }: Fill) => ({
  product_id: `${listing.baseAsset}-${listing.quoteAsset}`,
  trade_id: String(id),
  price: shortText(priceE8),
  size: shortText(quantityE8),
  time: shortTime(timeUs),
  side: buyerIsMaker ? 'BUY' : 'SELL',
});

/** A product under one of its names: the first is its own, the second says whose alias it is. */
function product(listing: Listing, name: string): object {
  const [own = '', second] = namesOf(listing);
  return {
    product_id: name,
    base_increment: shortText(listing.stepE8),
    quote_increment: shortText(listing.tickE8),
    status: listing.status === 'TRADING' ? 'online' : 'offline',
    trading_disabled: listing.status !== 'TRADING',
    product_type: 'SPOT',
    quote_currency_id: name.slice(listing.baseAsset.length + 1),
    base_currency_id: listing.baseAsset,
    alias: name === own ? '' : own,
    alias_to: name === own && second !== undefined ? [second] : [],
    price_increment: shortText(listing.tickE8),
  };
}

function listProducts(query: URLSearchParams, desk: Desk): RestAnswer {
  const wanted = query.getAll('product_ids');
  const all = desk.market.listings().flatMap((listing) => namesOf(listing).map((name) => ({ listing, name })));
  // A market of its own that has the name of an alias is not there beside it.
  const listed = all.filter(({ listing, name }) => streamedListing(desk, name) === listing);
  const found = listed.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  return ok({
    products: found.map(({ listing, name }) => product(listing, name)),
    num_products: found.length,
    pagination: { prev_cursor: '', next_cursor: '', has_next: false, has_prev: false },
  });
}

/** Newest first; `start` and `end` in seconds. */
function newest(listing: Listing, query: URLSearchParams, desk: Desk): RestAnswer {
  const count = countOf(query.get('limit'), 100, tradesMax);
  const [startS, endS] = [Number(query.get('start') ?? 0), Number(query.get('end') ?? Number.MAX_SAFE_INTEGER)];
  const end = query.has('end') ? desk.market.aggregateIdAt(listing.symbol, (endS + 1) * 1e6) : undefined;
  const [next] = end === undefined ? [] : desk.market.ordersFrom(listing.symbol, end, 1);
  const fills = newestFills(desk.market, listing.symbol, count, next?.firstId)
    .filter(({ timeUs }) => timeUs >= startS * 1e6)
    .reverse();
  const trades = fills.map((fill) => ({ ...tradeFields(listing, fill), bid: '', ask: '', exchange: '' }));
  return ok({ trades, best_bid: '', best_ask: '' });
}

export const advancedRest: RestProtocol = {
  // The other host of Coinbase, too: it has the same trades, and their history.
  owns: (path) => path === products || path.startsWith(`${products}/`) || coinbaseRest.owns(path),
  answer(path, query, desk) {
    if (coinbaseRest.owns(path)) return coinbaseRest.answer(path, query, desk);
    const [id, what, more] = path.slice(products.length + 1).split('/');
    if (!id) return listProducts(query, desk);
    const name = partOf(id);
    const listing = streamedListing(desk, name);
    if (!listing) return notFound;
    if (what === undefined) return ok(product(listing, name));
    return what === 'ticker' && more === undefined ? newest(listing, query, desk) : null;
  },
  limit: () => ({ kind: 'public', count: 10, windowMs: 1000 }),
  refusal(why) {
    if (why === 'failed') return refuse(500, 'INTERNAL', 'internal error');
    return why === 'limited'
      ? refuse(429, 'RESOURCE_EXHAUSTED', 'too many requests')
      : refuse(403, 'PERMISSION_DENIED', '');
  },
};
