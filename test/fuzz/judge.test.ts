import { expect, test } from 'vitest';
import type { Parsed } from '../../worker/exchanges/exchange.ts';
import type { Trade } from '../../worker/trade.ts';
import { judge } from './judge.ts';

const trade: Trade = {
  symbol: 'BTC/USD',
  tradeId: '9007199254740993',
  price: '1.50',
  quantity: '2',
  side: 'SELL',
  exchangeTimeMs: 1,
  sequenceNumber: null,
  isBuyerMaker: true,
  buyerOrderId: null,
  sellerOrderId: null,
};
const frame = '{"data":[{"symbol":"BTC/USD","id":9007199254740993,"price":1.50,"qty":"2"}]}';
const judged = (change: Partial<Trade>, text = frame) =>
  judge(Buffer.from(text), { kind: 'trades', trades: [{ ...trade, ...change }] });

test('a trade whose digits stand in one object of the frame is right', () => {
  expect(judged({})).toBeNull();
});

test.each<[string, Partial<Trade>, string]>([
  ['a price with other digits', { price: '1.5' }, 'no object says BTC/USD, 9007199254740993, 1.5, 2'],
  ['an id that was rounded', { tradeId: '9007199254740992' }, 'no object says BTC/USD, 9007199254740992, 1.50, 2'],
  ['a price with an exponent', { price: '15e-1' }, 'price 15e-1'],
  ['a signed quantity', { quantity: '-2' }, 'quantity -2'],
  ['an id that is no text', { tradeId: 5 as unknown as string }, 'tradeId 5'],
  ['sides that contradict', { side: 'BUY' }, 'side BUY, isBuyerMaker true'],
  ['a time beyond all dates', { exchangeTimeMs: 9e15 }, 'exchangeTimeMs 9000000000000000'],
  ['an order id that was rounded', { buyerOrderId: 2 ** 53 }, 'buyerOrderId 9007199254740992'],
])('%s is found', (_, change, why) => {
  expect(judged(change)).toBe(why);
});

test('fields of several objects make no trade', () => {
  const apart = '[{"symbol":"BTC/USD","id":9007199254740993},{"price":1.50,"qty":"2"}]';
  expect(judged({}, apart)).toBe('no object says BTC/USD, 9007199254740993, 1.50, 2');
});

test('trades of what is not JSON are found', () => {
  expect(judged({}, frame.slice(0, -1))).toBe('trades of a frame that is not JSON');
});

test.each<[string, Parsed]>([
  ['no reason', { kind: 'unreadable', why: '' }],
  ['trades, but none', { kind: 'trades', trades: [] }],
  ['requestId is no text', { kind: 'subscribed', requestId: 1 as unknown as string, symbols: null }],
])('an answer with %s is found', (why, parsed) => {
  expect(judge(Buffer.from(frame), parsed)).toBe(why);
});
