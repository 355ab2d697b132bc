// A trade as one of the two topics tells it: what the auditor compares.

export interface Trade {
  symbol: string;
  id: string;
  /** Decimal texts, as sent. */
  price: string;
  quantity: string;
  /** The taker's. */
  side: 'BUY' | 'SELL';
  /** The exchange's time, milliseconds since 1970. */
  exchangeTimeMs: number;
  /** Null where the exchange sends none. */
  sequence: number | null;
  buyerOrderId: number | null;
  sellerOrderId: number | null;
}

/** Where a record stands. */
export interface Place {
  topic: string;
  partition: number;
  offset: number;
}

export const placeText = ({ topic, partition, offset }: Place) => `${topic}/${partition}@${offset}`;

/** How findings name a trade, and how its two halves find each other. */
export const tradeKey = (symbol: string, id: string) => `${symbol} ${id}`;
