import { describe, expect, test } from 'vitest';
import { binance } from '../../worker/exchanges/binance.ts';
import type { Exchange } from '../../worker/exchanges/exchange.ts';
import type { End, Socket } from '../../worker/socket.ts';
import { Subscriptions } from '../../worker/subscriptions.ts';

const never = new AbortController().signal;

/** A socket that keeps what is sent, and an exchange that takes one symbol per message. */
function create(waitMsMax: number) {
  const ending = Promise.withResolvers<End>();
  const sent: string[] = [];
  const socket: Socket = {
    send: (text) => sent.push(text),
    pause: () => {},
    resume: () => {},
    isPaused: () => false,
    end: ending.resolve,
    opened: Promise.resolve(true),
    ended: ending.promise,
  };
  const exchange: Exchange = {
    ...binance,
    limits: { ...binance.limits, messagesPerSecond: 1001 },
    subscribe: (symbols, firstId) =>
      symbols.map((symbol, index) => ({ id: String(firstId + index), text: symbol, symbols: [symbol] })),
  };
  return { sent, socket, subscriptions: new Subscriptions(exchange, socket, waitMsMax) };
}

describe('subscriptions', () => {
  test('give the symbols of the request that an answer names', async () => {
    const { sent, subscriptions } = create(1);
    const requested = subscriptions.request(['A', 'B'], never);
    expect(subscriptions.answer('2')).toEqual(['B']);
    expect(subscriptions.answer('2')).toEqual([]);
    expect(subscriptions.unanswered()).toBe(1);
    expect(subscriptions.answer('1')).toEqual(['A']);
    await requested;
    expect(sent).toEqual(['A', 'B']);
  });

  test('take an answer without a name for the oldest request', async () => {
    const { subscriptions } = create(1);
    const requested = subscriptions.request(['A', 'B'], never);
    expect([subscriptions.answer(null), subscriptions.answer(null), subscriptions.answer(null)]).toEqual([
      ['A'],
      ['B'],
      [],
    ]);
    await requested;
  });

  test('use no id twice, also when more symbols are asked for later', async () => {
    const { subscriptions } = create(1);
    const first = subscriptions.request(['A', 'B'], never);
    const second = subscriptions.request(['C'], never);
    expect(['3', '2', '1'].map((id) => subscriptions.answer(id))).toEqual([['C'], ['B'], ['A']]);
    await Promise.all([first, second]);
  });

  test('end the connection when an answer does not come', async () => {
    const { socket, subscriptions } = create(5);
    const requested = subscriptions.request(['A', 'B', 'C'], never);
    subscriptions.answer('2');
    await requested;
    expect(await socket.ended).toEqual({
      reason: 'unanswered',
      why: '2 of 3 subscriptions were not answered within 0.005 s',
    });
  });

  test('stop waiting when the connection ends', async () => {
    const { socket, subscriptions } = create(3_600_000);
    const requested = subscriptions.request(['A'], never);
    socket.end({ reason: 'closed', why: 'cut' });
    await requested;
    expect((await socket.ended).reason).toBe('closed');
  });
});
