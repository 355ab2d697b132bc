import fc from 'fast-check';
import { expect, test } from 'vitest';
import { randomOf, schedule } from './schedule.ts';

const kinds = [
  { name: 'often', weight: 8 },
  { name: 'seldom', weight: 1 },
  { name: 'one exchange', weight: 1, exchanges: ['kraken'] },
];
const feeds = [
  { name: 'a', exchange: 'binance' },
  { name: 'b', exchange: 'kraken' },
];

function first(count: number, seed: string) {
  const faults = schedule(seed, kinds, feeds);
  return Array.from({ length: count }, () => {
    const { number, kind, feed, random } = faults.next().value;
    return { number, kind: kind.name, feed: feed.name, numbers: [random(), random()] };
  });
}

test('one seed gives the same faults, feeds and numbers each time, and another seed gives others', () => {
  expect(first(50, '1')).toEqual(first(50, '1'));
  expect(first(50, '1')).not.toEqual(first(50, '2'));
});

test('every kind comes once before one comes again', () => {
  fc.assert(
    fc.property(fc.string(), (seed) => {
      expect(new Set(first(kinds.length, seed).map(({ kind }) => kind)).size).toBe(kinds.length);
    }),
  );
});

test('kinds come as often as they weigh', () => {
  const drawn = first(10_000, '1').filter(({ kind }) => kind === 'often').length;
  expect(drawn / 10_000).toBeCloseTo(0.8, 1);
});

test('a kind for one exchange never hits the feed of another', () => {
  const hit = first(1000, '1').filter(({ kind }) => kind === 'one exchange');
  expect(hit.length).toBeGreaterThan(10);
  expect(hit.every(({ feed }) => feed === 'b')).toBe(true);
});

test('a kind that fits no feed is refused by name', () => {
  const faults = schedule('1', kinds.slice(2), feeds.slice(0, 1));
  expect(() => faults.next()).toThrow('no feed for one exchange: it needs kraken');
});

test("a fault's numbers do not depend on how many the faults before it took", () => {
  const [, , third] = first(3, '7');
  const random = randomOf('7', 'fault 3');
  expect(third?.numbers).toEqual([random(), random()]);
});
