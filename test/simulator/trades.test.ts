import { describe, expect, test } from 'vitest';
import { parseListing } from './listings.ts';
import { firstBlock, symbolSeed, type TakerOrder, takerOrders } from './trades.ts';

const listing = parseListing('BTCUSDT');
const seed = symbolSeed('k2', 'BTCUSDT');
const start = firstBlock(seed);
const blocks = (count: number, from = start): TakerOrder[] =>
  Array.from({ length: count }, (_, index) => takerOrders(seed, listing, from + index)).flat();

describe('generated trades', () => {
  test('are the same for the same seed, symbol and id, in whatever order they are asked for', () => {
    const forward = blocks(20);
    const backward = Array.from({ length: 20 }, (_, index) => takerOrders(seed, listing, start + 19 - index));
    expect(backward.reverse().flat()).toEqual(forward);
  });

  test('are others for another seed and for another symbol', () => {
    expect(symbolSeed('k3', 'BTCUSDT')).not.toBe(seed);
    expect(symbolSeed('k2', 'ETHUSDT')).not.toBe(seed);
    expect(takerOrders(symbolSeed('k3', 'BTCUSDT'), listing, start)).not.toEqual(takerOrders(seed, listing, start));
  });

  test('have trade ids and aggregate ids that rise by exactly one', () => {
    const orders = blocks(500);
    for (const [index, order] of orders.entries()) {
      const next = orders[index + 1];
      if (!next) continue;
      expect(next.firstId).toBe(order.firstId + order.quantitiesE8.length);
      expect(next.aggregateId).toBe(order.aggregateId + 1);
    }
  });

  test('cost whole ticks and are whole steps, all above zero', () => {
    for (const { priceE8, quantitiesE8 } of blocks(500)) {
      expect(priceE8 % listing.tickE8).toBe(0);
      expect(priceE8).toBeGreaterThan(0);
      for (const quantityE8 of quantitiesE8) {
        expect(quantityE8 % listing.stepE8).toBe(0);
        expect(quantityE8).toBeGreaterThan(0);
      }
    }
  });

  test('walk: prices move between neighbours by far less than over a while, and stay near the listed price', () => {
    const orders = blocks(2000);
    const prices = orders.map((order) => order.priceE8 / listing.priceE8);
    const steps = prices.slice(1).map((price, index) => Math.abs(price - (prices[index] ?? price)));
    expect(Math.max(...steps)).toBeLessThan(0.0005);
    expect(Math.max(...prices) - Math.min(...prices)).toBeGreaterThan(0.0005);
    for (const price of prices) expect(Math.abs(price - 1)).toBeLessThan(0.013);
  });

  test('come from buyers and sellers alike, with small and large quantities, one or several to an order', () => {
    const orders = blocks(500);
    const makers = orders.filter((order) => order.buyerIsMaker).length / orders.length;
    expect(makers).toBeGreaterThan(0.45);
    expect(makers).toBeLessThan(0.55);
    const quantities = orders.flatMap((order) => order.quantitiesE8).sort((a, b) => a - b);
    expect((quantities.at(-1) ?? 0) / (quantities[0] ?? 1)).toBeGreaterThan(1000);
    expect(new Set(orders.map((order) => order.quantitiesE8.length)).size).toBeGreaterThan(5);
  });
});
