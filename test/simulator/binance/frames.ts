// Trades as Binance writes them, on the WebSocket and over REST. Field order and decimals are those of real frames
// since June 2024.
// https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md#trade-streams
import type { TimedOrder } from '../market.ts';
import { fixedText } from '../text.ts';
import { eventDelayUs } from '../trades.ts';

export type TimeUnit = 'ms' | 'us';

const e8 = 100_000_000;

/** Binance pads prices and quantities to 8 decimals. */
export const decimalText = (valueE8: number): string => fixedText(valueE8, 8);

export const inUnit = (timeUs: number, unit: TimeUnit): number => (unit === 'us' ? timeUs : Math.floor(timeUs / 1000));

/** Payload of the trade stream for the order's fill number `fill`. */
export function tradePayload(symbol: string, order: TimedOrder, fill: number, unit: TimeUnit): string {
  const id = order.firstId + fill;
  const eventTime = inUnit(order.timeUs + eventDelayUs(id), unit);
  const price = decimalText(order.priceE8);
  const quantity = decimalText(order.quantitiesE8[fill] ?? 0);
  const time = inUnit(order.timeUs, unit);
  const head = `{"e":"trade","E":${eventTime},"s":"${symbol}","t":${id}`;
  return `${head},"p":"${price}","q":"${quantity}","T":${time},"m":${order.buyerIsMaker},"M":true}`;
}

const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);

/** Payload of the aggTrade stream. */
export function aggregatePayload(symbol: string, order: TimedOrder, unit: TimeUnit): string {
  const last = order.firstId + order.quantitiesE8.length - 1;
  const eventTime = inUnit(order.timeUs + eventDelayUs(last), unit);
  const price = decimalText(order.priceE8);
  const quantity = decimalText(sum(order.quantitiesE8));
  const time = inUnit(order.timeUs, unit);
  const head = `{"e":"aggTrade","E":${eventTime},"s":"${symbol}","a":${order.aggregateId}`;
  const range = `"f":${order.firstId},"l":${last}`;
  return `${head},"p":"${price}","q":"${quantity}",${range},"T":${time},"m":${order.buyerIsMaker},"M":true}`;
}

/** An event of a stream in the combined form. */
export const envelope = (stream: string, payload: string): string => `{"stream":"${stream}","data":${payload}}`;

/** An order's trades as /api/v3/trades and /api/v3/historicalTrades list them. */
export function restTrades(order: TimedOrder, unit: TimeUnit): object[] {
  return order.quantitiesE8.map((quantityE8, fill) => ({
    id: order.firstId + fill,
    price: decimalText(order.priceE8),
    qty: decimalText(quantityE8),
    // A product of two numbers of 10^-8 passes 2^53; Binance cuts it to 8 decimals.
    quoteQty: decimalText(Number((BigInt(order.priceE8) * BigInt(quantityE8)) / BigInt(e8))),
    time: inUnit(order.timeUs, unit),
    isBuyerMaker: order.buyerIsMaker,
    isBestMatch: true,
  }));
}

/** An order as /api/v3/aggTrades lists it. */
export function restAggregate(order: TimedOrder, unit: TimeUnit): object {
  return {
    a: order.aggregateId,
    p: decimalText(order.priceE8),
    q: decimalText(sum(order.quantitiesE8)),
    f: order.firstId,
    l: order.firstId + order.quantitiesE8.length - 1,
    T: inUnit(order.timeUs, unit),
    m: order.buyerIsMaker,
    M: true,
  };
}
