// What a normalized record must say, worked out from the frame's text alone and written anew: nothing is imported from
// the worker, so that an error there cannot hide here.

/** A normalized record as Avro's Java library prints it. */
export interface Normalized {
  schema_version: string;
  exchange: string;
  symbol: string;
  canonical_symbol: string;
  trade_id: string;
  price: string;
  quantity: string;
  quote_volume: string;
  side: string;
  timestamp: number;
  exchange_timestamp: number;
  metadata: {
    sequence_number: number | null;
    is_buyer_maker: boolean | null;
    buyer_order_id: number | null;
    seller_order_id: number | null;
  } | null;
}

/** The text of a field in a Binance trade frame: between `"name":` and the next comma or brace, without quotes. */
function textOf(frame: string, name: string): string {
  const match = new RegExp(`"${name}":"?([^",}]*)`).exec(frame);
  if (!match?.[1]) throw new Error(`no ${name} in ${frame}`);
  return match[1];
}

/** Scales a plain decimal to an integer: `12.340` is 12340 at scale 3. */
function scaled(decimal: string): [units: bigint, scale: number] {
  const [whole = '', fraction = ''] = decimal.split('.');
  return [BigInt(whole + fraction), fraction.length];
}

/** Whether a written decimal is exactly the product of two others, whatever zeros it ends with. */
export function isProduct(product: string, price: string, quantity: string): boolean {
  if (!/^\d+(\.\d+)?$/.test(product)) return false;
  const [p, priceScale] = scaled(price);
  const [q, quantityScale] = scaled(quantity);
  const [r, productScale] = scaled(product);
  return p * q * 10n ** BigInt(productScale) === r * 10n ** BigInt(priceScale + quantityScale);
}

/** What must stand in the record of a frame, but for `quote_volume` and `timestamp`, which callers check by rule. */
export function expectedOf(frame: string, canonicalSymbols: Record<string, string>): Partial<Normalized> {
  const symbol = textOf(frame, 's');
  const canonicalSymbol = canonicalSymbols[symbol];
  if (canonicalSymbol === undefined) throw new Error(`no canonical symbol for ${symbol}`);
  const isBuyerMaker = textOf(frame, 'm') === 'true';
  return {
    schema_version: '1.0.0',
    exchange: 'binance',
    symbol,
    canonical_symbol: canonicalSymbol,
    trade_id: textOf(frame, 't'),
    price: textOf(frame, 'p'),
    quantity: textOf(frame, 'q'),
    side: isBuyerMaker ? 'SELL' : 'BUY',
    exchange_timestamp: Number(textOf(frame, 'T')),
  };
}
