// The two halves of a trade against each other: what the raw record's text says, and what the normalized record says.
import type { Trade } from './trade.ts';

/** The fields of schemas/normalized-trade.avsc. */
export interface NormalizedTrade {
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

export interface RawHalf {
  trade: Trade;
  isBackfilled: boolean;
  /** When the frame was received, milliseconds since 1970. */
  receivedMs: number;
}

export interface NormalizedHalf {
  value: NormalizedTrade;
  isBackfilled: boolean;
}

/** @returns each field that differs, and how; empty: they agree */
export function differences({ trade, ...raw }: RawHalf, { value, ...normalized }: NormalizedHalf): string[] {
  const { metadata } = value;
  const differing: string[] = [];
  const compare = (field: string, right: unknown, found: unknown) => {
    if (found !== right) differing.push(`${field} is ${found}, and by the raw record ${right}`);
  };
  compare('price', trade.price, value.price);
  compare('quantity', trade.quantity, value.quantity);
  compare('side', trade.side, value.side);
  compare('exchange_timestamp', trade.exchangeTimeMs, value.exchange_timestamp);
  compare('timestamp', raw.receivedMs, value.timestamp);
  compare('sequence_number', trade.sequence, metadata?.sequence_number ?? null);
  compare('is_buyer_maker', trade.side === 'SELL', metadata?.is_buyer_maker ?? null);
  compare('buyer_order_id', trade.buyerOrderId, metadata?.buyer_order_id ?? null);
  compare('seller_order_id', trade.sellerOrderId, metadata?.seller_order_id ?? null);
  compare('header k2-source', sourceOf(raw), sourceOf(normalized));
  if (!isProduct(value.quote_volume, trade.price, trade.quantity)) {
    differing.push(`quote_volume is ${value.quote_volume}, which is not ${trade.price} x ${trade.quantity}, exact`);
  }
  return differing;
}

const sourceOf = ({ isBackfilled }: { isBackfilled: boolean }) => (isBackfilled ? 'rest-backfill' : 'absent');

/** Exact, in plain notation, with the decimals of both factors together. */
export function isProduct(product: string, a: string, b: string): boolean {
  return (
    /^(0|[1-9]\d*)(\.\d+)?$/.test(product) &&
    decimalsOf(product) === decimalsOf(a) + decimalsOf(b) &&
    digitsOf(product) === digitsOf(a) * digitsOf(b)
  );
}

function decimalsOf(text: string): number {
  const point = text.indexOf('.');
  return point < 0 ? 0 : text.length - 1 - point;
}

const digitsOf = (text: string) => BigInt(text.replace('.', ''));
