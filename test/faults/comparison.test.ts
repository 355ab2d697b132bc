import { expect, test } from 'vitest';
import { compareTrades, faultOf, isExact, plainDecimal, type Trade } from './comparison.ts';

const trade = (id: number, text = `text ${id}`): Trade => ({ id: String(id), timeMs: id * 1000, text });
const trades = (...ids: number[]) => ids.map((id) => trade(id));
const idsOf = (list: readonly Trade[]) => list.map(({ id }) => Number(id));

test('what was made is expected from the first trade on that was written', () => {
  const result = compareTrades(trades(1, 2, 3, 4), trades(3, 4), []);
  expect(result).toMatchObject({ expected: 2, lost: [], doubled: [] });
  expect(isExact(result)).toBe(true);
});

test('trades may be written in any order', () => {
  expect(isExact(compareTrades(trades(1, 2, 3), trades(3, 1, 2), []))).toBe(true);
});

test('a trade that is missing is lost, and so is the last one', () => {
  const result = compareTrades(trades(1, 2, 3, 4), trades(1, 3), []);
  expect(idsOf(result.lost)).toEqual([2, 4]);
  expect(isExact(result)).toBe(false);
});

test('a trade that is there three times is doubled twice', () => {
  const result = compareTrades(trades(1, 2), trades(1, 2, 2, 2), []);
  expect(idsOf(result.doubled)).toEqual([2, 2]);
  expect(isExact(result)).toBe(false);
});

test('a trade that says something else is altered, and one that nobody made is invented', () => {
  const result = compareTrades(trades(5, 6), [trade(5), trade(6, 'other'), trade(9)], []);
  expect(result.altered).toEqual([{ made: trade(6), written: trade(6, 'other') }]);
  expect(idsOf(result.invented)).toEqual([9]);
  expect(isExact(result)).toBe(false);
});

test('history from before the first trade that was made is not invented', () => {
  expect(isExact(compareTrades(trades(5, 6), trades(3, 4, 5, 6), []))).toBe(true);
});

test('a trade missing while the exchange sent to nobody is unproven, and lost at any other time', () => {
  const absences = [{ fromMs: 2000, untilMs: 3000, fault: 7 }];
  const result = compareTrades(trades(1, 2, 3, 4, 5), trades(1, 5), absences);
  expect(idsOf(result.unproven)).toEqual([2, 3]);
  expect(idsOf(result.lost)).toEqual([4]);
  expect(faultOf(trade(3), absences)).toBe(7);
});

test('a symbol of which nothing was written expects nothing', () => {
  expect(compareTrades(trades(1, 2), [], [])).toMatchObject({ expected: 0, lost: [] });
});

test.each([
  ['1.50', '1.5'],
  ['1.00', '1'],
  ['100', '100'],
  ['0.0010', '0.001'],
])('%s is spelled %s', (decimal, spelled) => expect(plainDecimal(decimal)).toBe(spelled));
