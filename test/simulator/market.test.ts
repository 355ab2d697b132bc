import { describe, expect, test } from 'vitest';
import { parseListing } from './listings.ts';
import { Market, type TimedOrder } from './market.ts';

const secondUs = 1_000_000;
const startUs = 1_772_000_000 * secondUs;
const unbounded = 1_000_000;

function marketOf(
  tradesPerSecond: number,
  ...symbols: string[]
): { market: Market; run(fromUs: number, toUs: number, stepUs: number): TimedOrder[] } {
  const market = new Market('k2', tradesPerSecond);
  for (const symbol of symbols) market.list(parseListing(symbol), startUs);
  const run = (fromUs: number, toUs: number, stepUs: number) => {
    const orders: TimedOrder[] = [];
    for (let us = fromUs; us <= toUs; us += stepUs) market.advance(us, unbounded, (_, order) => orders.push(order));
    return orders;
  };
  return { market, run };
}

const trades = (orders: TimedOrder[]): number => orders.reduce((sum, order) => sum + order.quantitiesE8.length, 0);
const tradesOf = (market: Market, symbol: string) => market.activity().find((one) => one.symbol === symbol)?.trades;

describe('the schedule', () => {
  test('keeps the rate on average', () => {
    const { run } = marketOf(1000, 'BTCUSDT');
    const count = trades(run(startUs, startUs + 60 * secondUs, 4000));
    expect(count / 60).toBeGreaterThan(980);
    expect(count / 60).toBeLessThan(1020);
  });

  test('makes the same trades at the same times, whether it is called often or seldom', () => {
    const often = marketOf(1000, 'BTCUSDT').run(startUs, startUs + 10 * secondUs, 4000);
    const seldom = marketOf(1000, 'BTCUSDT').run(startUs, startUs + 10 * secondUs, secondUs);
    const length = Math.min(often.length, seldom.length);
    // What was due within the last second may still come.
    expect(often.length - seldom.length).toBeLessThan(10);
    expect(seldom.slice(0, length)).toEqual(often.slice(0, length));
  });

  test('catches up after a pause of the process, but not more than two seconds, and says what it gave up', () => {
    const { market, run } = marketOf(1000, 'BTCUSDT');
    run(startUs, startUs + secondUs, 4000);
    expect(market.skippedMs).toBe(0);
    const count = trades(run(startUs + 10 * secondUs, startUs + 10 * secondUs, 1));
    expect(count).toBeGreaterThan(1800);
    expect(count).toBeLessThan(2200);
    expect(market.skippedMs).toBeGreaterThan(6500);
    expect(market.skippedMs).toBeLessThan(7100);
  });

  test('shares the rate equally, unless a symbol has its own', () => {
    const { market, run } = marketOf(300, 'BTCUSDT', 'ETHUSDT', 'BNBUSDT');
    market.setRate(0, 'BNBUSDT');
    market.setRate(1000, 'ETHUSDT');
    run(startUs, startUs + 20 * secondUs, 4000);
    expect(tradesOf(market, 'BNBUSDT')).toBe(0);
    expect((tradesOf(market, 'BTCUSDT') ?? 0) / 20).toBeCloseTo(100, -1.3);
    expect((tradesOf(market, 'ETHUSDT') ?? 0) / 20).toBeCloseTo(1000, -2);
  });

  test('has several trades in one millisecond', () => {
    const orders = marketOf(168, 'BTCUSDT').run(startUs, startUs + 10 * secondUs, 4000);
    const times = orders.flatMap((order) => order.quantitiesE8.map(() => Math.floor(order.timeUs / 1000)));
    expect(new Set(times).size).toBeLessThan(times.length * 0.6);
  });

  test('never lets time run backwards, also when a burst overtakes it', () => {
    const { market, run } = marketOf(1000, 'BTCUSDT');
    const before = run(startUs, startUs + secondUs, 4000);
    market.burst(500, 'BTCUSDT', startUs + 1.5 * secondUs, (_, order) => before.push(order));
    const after = run(startUs + 1.5 * secondUs, startUs + 3 * secondUs, 4000);
    const times = [...before, ...after].map((order) => order.timeUs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test('has no trades while paused or halted, and does not make up for them', () => {
    const { market, run } = marketOf(1000, 'BTCUSDT');
    market.setPaused(true);
    expect(run(startUs, startUs + 5 * secondUs, 4000)).toEqual([]);
    market.setPaused(false);
    expect(trades(run(startUs + 5 * secondUs, startUs + 6 * secondUs, 4000))).toBeLessThan(1300);
    market.list({ ...parseListing('BTCUSDT'), status: 'HALT' }, startUs);
    expect(run(startUs + 6 * secondUs, startUs + 7 * secondUs, 4000)).toEqual([]);
  });

  test('adds a burst at once, rounded up to whole orders, at any rate and while paused', () => {
    const { market } = marketOf(0, 'BTCUSDT', 'ETHUSDT');
    market.setPaused(true);
    const orders: TimedOrder[] = [];
    market.burst(1000, undefined, startUs, (_, order) => orders.push(order));
    for (const symbol of ['BTCUSDT', 'ETHUSDT']) {
      expect(tradesOf(market, symbol)).toBeGreaterThanOrEqual(500);
      expect(tradesOf(market, symbol)).toBeLessThan(521);
    }
    const newest = Math.max(...orders.map((order) => order.timeUs));
    expect(newest - startUs).toBeLessThan(1000 * orders.length);
  });

  test('gives every order of a symbol its own time, so that history can be paged by it', () => {
    const { market } = marketOf(0, 'BTCUSDT');
    const orders: TimedOrder[] = [];
    for (let count = 0; count < 2; count++) market.burst(500, 'BTCUSDT', startUs, (_, order) => orders.push(order));
    expect(new Set(orders.map((order) => order.timeUs)).size).toBe(orders.length);
    expect(orders.every((order, index) => order.timeUs > (orders[index - 1]?.timeUs ?? 0))).toBe(true);
  });

  test('shows the time of a clock that is ahead or was set back, and still finds what was when', () => {
    const { market } = marketOf(0, 'BTCUSDT');
    const orders: TimedOrder[] = [];
    for (const skewUs of [0, 5 * secondUs, -5 * secondUs]) {
      market.setClockSkew(skewUs);
      market.burst(1, 'BTCUSDT', startUs, (_, order) => orders.push(order));
    }
    const firsts = orders.map((order) => order.timeUs - startUs);
    expect(firsts).toEqual([0, 5 * secondUs, -5 * secondUs]);
    expect(market.aggregateIdAt('BTCUSDT', startUs + secondUs)).toBe(orders[1]?.aggregateId);
  });

  test('keeps what it made, across a reset of its ids and the end of a listing', () => {
    const { market } = marketOf(0, 'BTCUSDT');
    const orders: TimedOrder[] = [];
    const burst = () => market.burst(100, 'BTCUSDT', startUs, (_, order) => orders.push(order));
    burst();
    market.resetIds('BTCUSDT');
    burst();
    expect(orders.at(-1)?.firstId).toBeLessThan(200);
    market.unlist('BTCUSDT');
    const made = () => [...market.made('BTCUSDT')].map(({ order }) => order);
    expect(made()).toEqual(orders);
    market.list(parseListing('BTCUSDT'), startUs);
    expect(made()).toEqual(orders);
    market.forgetMade();
    expect([...market.made(undefined)]).toEqual([]);
  });

  test('goes on with its ids when a symbol comes back', () => {
    const { market, run } = marketOf(1000, 'BTCUSDT');
    const before = run(startUs, startUs + secondUs, 4000).at(-1);
    market.unlist('BTCUSDT');
    expect(market.listing('BTCUSDT')).toBeUndefined();
    market.list(parseListing('BTCUSDT'), startUs + 2 * secondUs);
    const after = run(startUs + 2 * secondUs, startUs + 3 * secondUs, 4000)[0];
    expect(after?.aggregateId).toBe((before?.aggregateId ?? 0) + 1);
  });
});

describe('the history', () => {
  test('answers every order again, with its time', () => {
    const { market, run } = marketOf(1000, 'BTCUSDT');
    const orders = run(startUs, startUs + 5 * secondUs, 4000);
    expect(market.ordersFrom('BTCUSDT', orders[0]?.aggregateId ?? 0, unbounded)).toEqual(orders);
  });

  test('reaches back before the start, and not beyond the newest order', () => {
    const { market, run } = marketOf(1000, 'BTCUSDT');
    const { aggregateId } = market.nextIds('BTCUSDT');
    const earlier = market.ordersFrom('BTCUSDT', aggregateId - 1000, unbounded);
    expect(earlier).toHaveLength(1000);
    expect(earlier.every((order) => order.timeUs < startUs)).toBe(true);
    run(startUs, startUs + secondUs, 4000);
    expect(market.ordersFrom('BTCUSDT', market.nextIds('BTCUSDT').aggregateId, 10)).toEqual([]);
  });

  test('finds the order of a trade, and the first order at a time', () => {
    const { market, run } = marketOf(1000, 'BTCUSDT');
    const orders = run(startUs, startUs + secondUs, 4000);
    const order = orders.find((one) => one.quantitiesE8.length > 2);
    expect(market.aggregateIdOf('BTCUSDT', (order?.firstId ?? 0) + 2)).toBe(order?.aggregateId);
    const { aggregateId = 0, timeUs = 0 } = orders[50] ?? {};
    expect(market.aggregateIdAt('BTCUSDT', timeUs)).toBe(aggregateId);
    expect(market.aggregateIdAt('BTCUSDT', timeUs + 1)).toBe(aggregateId + 1);
  });
});
