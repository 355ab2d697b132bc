import { describe, expect, test } from 'vitest';
import { binance } from '../../worker/exchanges/binance.ts';
import type { Exchange } from '../../worker/exchanges/exchange.ts';
import type { End, Socket } from '../../worker/socket.ts';
import { Subscriptions } from '../../worker/subscriptions.ts';

const onePerMessage: Exchange['subscribe'] = (symbols, firstId) =>
  symbols.map((symbol, index) => ({ id: String(firstId + index), text: symbol, symbols: [symbol] }));

/** A socket that keeps what is sent, and an exchange that takes one symbol per message. */
function create(waitMsMax: number, subscribe: Exchange['subscribe'] = onePerMessage) {
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
    subscribe,
  };
  return { sent, socket, subscriptions: new Subscriptions(exchange, socket, waitMsMax) };
}

describe('subscriptions', () => {
  test('give the symbols of the request that an answer names', async () => {
    const { sent, subscriptions } = create(1);
    const requested = subscriptions.request(['A', 'B']);
    expect(subscriptions.answer('2')).toEqual(['B']);
    expect(subscriptions.answer('2')).toEqual([]);
    expect(subscriptions.unanswered()).toBe(1);
    expect(subscriptions.answer('1')).toEqual(['A']);
    await requested;
    expect(sent).toEqual(['A', 'B']);
  });

  test('take an answer without a name for the oldest request', async () => {
    const { subscriptions } = create(1);
    const requested = subscriptions.request(['A', 'B']);
    expect([subscriptions.answer(null), subscriptions.answer(null), subscriptions.answer(null)]).toEqual([
      ['A'],
      ['B'],
      [],
    ]);
    await requested;
  });

  test('use no id twice, also when more symbols are asked for later', async () => {
    const { subscriptions } = create(1);
    const first = subscriptions.request(['A', 'B']);
    const second = subscriptions.request(['C']);
    expect(['3', '2', '1'].map((id) => subscriptions.answer(id))).toEqual([['C'], ['B'], ['A']]);
    await Promise.all([first, second]);
  });

  test('end the connection when an answer does not come', async () => {
    const { socket, subscriptions } = create(5);
    const requested = subscriptions.request(['A', 'B', 'C']);
    subscriptions.answer('2');
    await requested;
    expect(await socket.ended).toEqual({
      reason: 'unanswered',
      why: 'no answer to the subscription of 2 symbols within 0.005 s',
    });
  });

  test('say when everything is answered, also by the names of symbols', async () => {
    const { subscriptions } = create(3_600_000);
    const requested = subscriptions.request(['A', 'B', 'C']);
    expect(subscriptions.answer(null, ['C', 'A', 'Z'])).toEqual(['A', 'C']);
    expect(subscriptions.refuse(null, ['B'])).toEqual(['B']);
    expect(await requested).toBe(true);
  });

  test('find the bad symbol among many where the exchange refuses the whole request', async () => {
    const { sent, subscriptions } = create(3_600_000, (symbols, firstId) => [
      { id: String(firstId), text: symbols.join(), symbols },
    ]);
    const requested = subscriptions.request(['A', 'B', 'C', 'D']);
    expect(subscriptions.refuse('1', null)).toEqual([]);
    expect(subscriptions.answer('2')).toEqual(['A', 'B']);
    expect(subscriptions.refuse('3', null)).toEqual([]);
    expect(subscriptions.refuse('4', null)).toEqual(['C']);
    expect(subscriptions.answer('5')).toEqual(['D']);
    expect(await requested).toBe(true);
    expect(sent).toEqual(['A,B,C,D', 'A,B', 'C,D', 'C', 'D']);
  });

  test('take a refusal of everything for good at last', async () => {
    const whole: Exchange['subscribe'] = (symbols, firstId) => [{ id: String(firstId), text: '', symbols }];
    const { subscriptions } = create(3_600_000, whole);
    const symbols = Array.from({ length: 1000 }, (_, index) => `S${index}`);
    void subscriptions.request(symbols);
    const refused = new Set<string>();
    let answers = 0;
    while (subscriptions.unanswered() > 0) {
      for (const symbol of subscriptions.refuse(null, null)) refused.add(symbol);
      answers++;
    }
    expect(refused.size).toBe(1000);
    expect(answers).toBeLessThan(200);
  });

  test('wait for no answer to a request that names no symbol', async () => {
    const { subscriptions } = create(3_600_000, (_, firstId) => [{ id: String(firstId), text: 'x', symbols: [] }]);
    expect(await subscriptions.request(['A'])).toBe(true);
  });

  test('stop waiting when the connection ends', async () => {
    const { socket, subscriptions } = create(3_600_000);
    const requested = subscriptions.request(['A']);
    socket.end({ reason: 'closed', why: 'cut' });
    await requested;
    expect((await socket.ended).reason).toBe('closed');
  });
});
