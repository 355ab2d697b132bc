// Single trades out of the market's taker orders: each fill is a trade with an id of its own.
import type { Market } from './market.ts';
import type { TimedOrder } from './order-history.ts';

/** One trade as it is in truth; every exchange writes it in its own way. */
export interface Fill {
  id: number;
  priceE8: number;
  quantityE8: number;
  /** True: the taker sold. */
  buyerIsMaker: boolean;
  /** Microseconds since 1970, by the exchange's clock; the same for all fills of an order. */
  timeUs: number;
  /** The taker order it belongs to. */
  aggregateId: number;
}

export function fillsOf(order: TimedOrder): Fill[] {
  const { priceE8, buyerIsMaker, timeUs, aggregateId } = order;
  return order.quantitiesE8.map((quantityE8, index) => ({
    ...{ priceE8, quantityE8, buyerIsMaker, timeUs, aggregateId },
    id: order.firstId + index,
  }));
}

/** The newest trades of a symbol, oldest first; with `before` those whose ids are less. */
export function newestFills(market: Market, symbol: string, count: number, before?: number): Fill[] {
  const next = market.nextIds(symbol);
  const end = before === undefined ? next.tradeId : Math.min(before, next.tradeId);
  // Every order has a trade or more, so as many orders are always enough.
  const last = market.aggregateIdOf(symbol, end);
  const orders = market.ordersFrom(symbol, last - count, count + 1);
  const fills = orders.flatMap(fillsOf).filter((fill) => fill.id < end);
  return count === 0 ? [] : fills.slice(-count);
}

/** A symbol's trades from the first order at or after a time, oldest first. */
export function fillsSince(market: Market, symbol: string, timeUs: number, count: number): Fill[] {
  return market.ordersFrom(symbol, market.aggregateIdAt(symbol, timeUs), count).flatMap(fillsOf).slice(0, count);
}
