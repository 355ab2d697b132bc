// Kraken's REST: pairs under their oldest names, and trades by time.
// https://docs.kraken.com/api-reference/market-data/get-recent-trades
import { fillsSince, newestFills } from '../fills.ts';
import { countOf, type Desk, type RestAnswer, type RestProtocol } from '../protocol.ts';
import { decimalsOf, fixedText } from '../text.ts';
import type { Listing } from '../trades.ts';

/** Assets whose names in REST and in v1 are not those of v2: REST's code, v1's name. */
const oldNames: Record<string, [code: string, name: string]> = {
  BTC: ['XXBT', 'XBT'],
  DOGE: ['XXDG', 'XDG'],
  ETH: ['XETH', 'ETH'],
  LTC: ['XLTC', 'LTC'],
  XRP: ['XXRP', 'XRP'],
  USD: ['ZUSD', 'USD'],
};

const tradesMax = 1000;
/** An order in the very microsecond of `since` may be before it, and then is not of the page. */
const orderTradesMax = 32;

function namesOf({ baseAsset, quoteAsset }: Listing) {
  const [base, baseName] = oldNames[baseAsset] ?? [baseAsset, baseAsset];
  const [quote, quoteName] = oldNames[quoteAsset] ?? [quoteAsset, quoteAsset];
  const altname = `${baseName}${quoteName}`;
  // XXBTZUSD, but XDGUSD and XBTUSDT.
  const isOldest = oldNames[baseAsset] !== undefined && oldNames[quoteAsset] !== undefined && baseAsset !== 'DOGE';
  const key = isOldest ? `${base}${quote}` : altname;
  return { key, altname, wsname: `${baseName}/${quoteName}`, base, quote, v2: `${baseAsset}/${quoteAsset}` };
}

const answer = (status: number, error: string[], result?: string): RestAnswer => ({
  status,
  body: `{"error":${JSON.stringify(error)}${result === undefined ? '' : `,"result":${result}`}}`,
});
const unknownPair = answer(200, ['EQuery:Unknown asset pair']);

function find(name: string, desk: Desk): Listing | undefined {
  return desk.market.listings().find((listing) => {
    const { key, altname, wsname, v2 } = namesOf(listing);
    return [key, altname, wsname, v2].includes(name);
  });
}

function assetPairs(query: URLSearchParams, desk: Desk): RestAnswer {
  const wanted = query.get('pair')?.split(',');
  const listings = wanted ? wanted.map((name) => find(name, desk)) : desk.market.listings();
  const pairs: Record<string, object> = {};
  for (const listing of listings) {
    if (!listing) return unknownPair;
    const { key, altname, wsname, base, quote } = namesOf(listing);
    pairs[key] = {
      ...{ altname, wsname, aclass_base: 'currency', base, aclass_quote: 'currency', quote, lot: 'unit' },
      ...{ pair_decimals: decimalsOf(listing.tickE8), lot_decimals: 8, lot_multiplier: 1 },
      tick_size: fixedText(listing.tickE8, decimalsOf(listing.tickE8)),
      status: listing.status === 'TRADING' ? 'online' : 'cancel_only',
    };
  }
  return answer(200, [], JSON.stringify(pairs));
}

/** Kraken counts REST time in nanoseconds; ours has microseconds, so the last three digits are the order's own. */
const nanoseconds = (timeUs: number, aggregateId: number): bigint =>
  BigInt(timeUs) * 1000n + BigInt(aggregateId % 1000);

/** A number of seconds with 7 decimals at most, as a float prints it. */
const seconds = (ns: bigint): string =>
  `${ns / 1_000_000_000n}.${String(ns % 1_000_000_000n)
    .padStart(9, '0')
    .slice(0, 7)}`.replace(/\.?0+$/, '');

/** Trades after `since`, which is excluded; without it the newest. */
function trades(query: URLSearchParams, desk: Desk): RestAnswer {
  const pair = query.get('pair') ?? '';
  const listing = find(pair, desk);
  if (!listing) return unknownPair;
  const since = query.get('since') ?? '';
  if (!/^\d{0,19}$/.test(since)) return answer(200, ['EGeneral:Invalid arguments']);
  const count = countOf(query.get('count'), tradesMax, tradesMax);
  const sinceNs = BigInt(since || '0');
  const found =
    since === ''
      ? newestFills(desk.market, listing.symbol, count)
      : fillsSince(desk.market, listing.symbol, Number(sinceNs / 1000n), count + orderTradesMax);
  const fills = found
    .map((fill) => ({ ...fill, ns: nanoseconds(fill.timeUs, fill.aggregateId) }))
    .filter(({ ns }) => ns > sinceNs)
    .slice(0, count);
  const rows = fills.map(
    ({ priceE8, quantityE8, ns, buyerIsMaker, aggregateId, id }) =>
      `["${fixedText(priceE8, 5)}","${fixedText(quantityE8, 8)}",${seconds(ns)},"${buyerIsMaker ? 's' : 'b'}",` +
      `"${aggregateId % 3 === 0 ? 'm' : 'l'}","",${id}]`,
  );
  // The key follows the name that was asked for.
  const { key, v2 } = namesOf(listing);
  const name = JSON.stringify(pair === v2 ? v2 : key);
  return answer(200, [], `{${name}:[${rows.join(',')}],"last":"${fills.at(-1)?.ns ?? sinceNs}"}`);
}

export const krakenRest: RestProtocol = {
  owns: (path) => path.startsWith('/0/public/'),
  answer(path, query, desk) {
    if (path === '/0/public/AssetPairs') return assetPairs(query, desk);
    return path === '/0/public/Trades' ? trades(query, desk) : null;
  },
  // By address and pair; "about a second between calls" is documented, the bound itself is not.
  limit: (path, query) => ({ kind: `${path} ${query.get('pair') ?? ''}`, count: 2, windowMs: 1000 }),
  refusal(why) {
    if (why === 'failed') return answer(500, ['EService:Unavailable']);
    return why === 'limited'
      ? answer(429, ['EGeneral:Too many requests'])
      : answer(403, ['EGeneral:Temporary lockout']);
  },
};
