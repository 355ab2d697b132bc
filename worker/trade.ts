// One public execution, normalized, and the one place that says what each field means. An exchange's parse() fills it;
// nothing after that changes it.

/** The taker's (aggressor's) side: BUY when the taker bought. Where an exchange gives the maker's, parse() inverts. */
export type Side = 'BUY' | 'SELL';

export interface Trade {
  /** As the exchange spells it. */
  symbol: string;
  /** The exchange's id; unique per symbol. Text, because some exchanges' ids are beyond 2^53 or no numbers. */
  tradeId: string;
  /** Decimal text, digits as sent, in the quote asset. */
  price: string;
  /** Decimal text, digits as sent, in the base asset. */
  quantity: string;
  side: Side;
  /** When the exchange executed it, by the exchange's clock: milliseconds since 1970. Not ordered and not unique. */
  exchangeTimeMs: number;
  /** The exchange's own sequence number, null where it has none. */
  sequenceNumber: number | null;
  /** Null where the exchange does not say. */
  isBuyerMaker: boolean | null;
  buyerOrderId: number | null;
  sellerOrderId: number | null;
}
