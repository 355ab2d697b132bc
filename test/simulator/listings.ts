// Symbols that the simulator knows by itself, with tick, step and price as they are on spot markets. All exchanges list
// the same ones, each in its own spelling.
import type { Listing } from './trades.ts';

/** Base, quote, decimals of price and quantity, price around which it walks. */
const known: [base: string, quote: string, priceDecimals: number, quantityDecimals: number, price: number][] = [
  ['BTC', 'USDT', 2, 5, 61_837],
  ['ETH', 'USDT', 2, 4, 2_683],
  ['BNB', 'USDT', 2, 3, 517],
  ['SOL', 'USDT', 2, 3, 152],
  ['XRP', 'USDT', 4, 1, 0.6],
  ['DOGE', 'USDT', 5, 0, 0.1],
  ['ADA', 'USDT', 4, 1, 0.34],
  ['LTC', 'USDT', 2, 3, 61],
  ['BTC', 'USDC', 2, 5, 61_840],
  ['ETH', 'USDC', 2, 4, 2_684],
  ['ETH', 'BTC', 5, 4, 0.0434],
  ['BNB', 'BTC', 6, 3, 0.00836],
  ['BTC', 'USD', 1, 8, 61_835],
  ['ETH', 'USD', 2, 8, 2_682],
  ['SOL', 'USD', 2, 8, 152],
  ['DOGE', 'USD', 5, 8, 0.1],
];

const e8 = 100_000_000;

/**
 * A symbol's listing: from the table, or with the usual steps from its two assets.
 * @throws Error when the symbol is neither known nor spelled by its assets
 */
export function listingOf(
  symbol: string,
  assets: { baseAsset?: string | undefined; quoteAsset?: string | undefined },
  status: Listing['status'],
): Listing {
  const row = known.find(([base, quote]) => base + quote === symbol);
  const [base, quote, priceDecimals, quantityDecimals, price] = row ?? [assets.baseAsset, assets.quoteAsset, 4, 2, 1];
  if (!base || !quote) {
    throw new Error(`symbol: '${symbol}' is not known here; name its assets, for example FOOUSDT as FOO/USDT`);
  }
  const tickE8 = e8 / 10 ** priceDecimals;
  return {
    symbol,
    baseAsset: base,
    quoteAsset: quote,
    status,
    tickE8,
    stepE8: e8 / 10 ** quantityDecimals,
    priceE8: Math.round((price * e8) / tickE8) * tickE8,
  };
}

/** `BTCUSDT`, or `FOO/USDT` for a symbol that the table has not. */
export function parseListing(text: string): Listing {
  const [baseAsset, quoteAsset] = text.split('/');
  return listingOf(text.replace('/', ''), { baseAsset, quoteAsset }, 'TRADING');
}
