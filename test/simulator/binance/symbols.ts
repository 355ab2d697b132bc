// Symbols that the simulator knows by itself, with tick, step and price as on Binance spot, and the exchangeInfo that
// lists them.
// https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md#exchange-information
import type { Listing } from '../trades.ts';
import { decimalText } from './frames.ts';

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
];

const e8 = 100_000_000;

/**
 * A symbol's listing: from the table, or with the usual steps from its two assets.
 * @throws Error when the symbol is neither known nor spelled by its assets
 */
export function binanceListing(
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
  return binanceListing(text.replace('/', ''), { baseAsset, quoteAsset }, 'TRADING');
}

const orderTypes = [
  'LIMIT',
  'LIMIT_MAKER',
  'MARKET',
  'STOP_LOSS',
  'STOP_LOSS_LIMIT',
  'TAKE_PROFIT',
  'TAKE_PROFIT_LIMIT',
];

function symbolInfo(listing: Listing): object {
  const tickSize = decimalText(listing.tickE8);
  const stepSize = decimalText(listing.stepE8);
  return {
    symbol: listing.symbol,
    status: listing.status,
    baseAsset: listing.baseAsset,
    baseAssetPrecision: 8,
    quoteAsset: listing.quoteAsset,
    quotePrecision: 8,
    quoteAssetPrecision: 8,
    baseCommissionPrecision: 8,
    quoteCommissionPrecision: 8,
    orderTypes,
    icebergAllowed: true,
    ocoAllowed: true,
    otoAllowed: true,
    opoAllowed: true,
    quoteOrderQtyMarketAllowed: true,
    allowTrailingStop: true,
    cancelReplaceAllowed: true,
    amendAllowed: true,
    pegInstructionsAllowed: true,
    isSpotTradingAllowed: true,
    isMarginTradingAllowed: true,
    filters: [
      { filterType: 'PRICE_FILTER', minPrice: tickSize, maxPrice: '1000000.00000000', tickSize },
      { filterType: 'LOT_SIZE', minQty: stepSize, maxQty: '9000.00000000', stepSize },
      { filterType: 'ICEBERG_PARTS', limit: 100 },
      { filterType: 'MARKET_LOT_SIZE', minQty: '0.00000000', maxQty: '585.20788284', stepSize: '0.00000000' },
      {
        filterType: 'NOTIONAL',
        minNotional: '5.00000000',
        applyMinToMarket: true,
        maxNotional: '9000000.00000000',
        applyMaxToMarket: false,
        avgPriceMins: 5,
      },
      { filterType: 'MAX_NUM_ORDERS', maxNumOrders: 200 },
      { filterType: 'MAX_NUM_ALGO_ORDERS', maxNumAlgoOrders: 5 },
    ],
    permissions: [],
    permissionSets: [['SPOT', 'MARGIN']],
    defaultSelfTradePreventionMode: 'EXPIRE_MAKER',
    allowedSelfTradePreventionModes: ['EXPIRE_TAKER', 'EXPIRE_MAKER', 'EXPIRE_BOTH', 'DECREMENT'],
  };
}

export function exchangeInfo(listings: Listing[], serverTime: number, weightPerMinuteMax: number): object {
  return {
    timezone: 'UTC',
    serverTime,
    rateLimits: [
      { rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: weightPerMinuteMax },
      { rateLimitType: 'ORDERS', interval: 'SECOND', intervalNum: 10, limit: 100 },
      { rateLimitType: 'ORDERS', interval: 'DAY', intervalNum: 1, limit: 200_000 },
      { rateLimitType: 'RAW_REQUESTS', interval: 'MINUTE', intervalNum: 5, limit: 61_000 },
    ],
    exchangeFilters: [],
    symbols: listings.map(symbolInfo),
  };
}
