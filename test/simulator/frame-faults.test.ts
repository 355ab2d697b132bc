import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FrameFault } from './control.ts';
import { simulatorControl } from './control.ts';
import { ManualClock } from './manual-clock.ts';
import { type Simulator, startSimulator } from './simulator.ts';
import { collect, TestClient } from './test-client.ts';

let clock: ManualClock;
let simulator: Simulator;
beforeEach(async () => {
  clock = new ManualClock();
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 0, clock });
});
afterEach(() => simulator.close());

const connect = (streams = 'btcusdt@trade') => TestClient.connect(`${simulator.webSocketUrl}/ws/${streams}`);
const idOf = (frame: string): number => JSON.parse(frame).t;

/** Ids from the first that was made on; Binance has one trade a frame. */
async function offsets(frames: string[]): Promise<number[]> {
  const { firstId } = (await simulator.state()).symbols[0] ?? {};
  return frames.map((frame) => idOf(frame) - (firstId ?? 0));
}

/** Everything that came before the answer to a question asked after a burst of at least 20 trades. */
async function framesOf(client: TestClient, fault: FrameFault): Promise<string[]> {
  await simulator.addFrameFault(fault);
  await simulator.burst({ symbol: 'BTCUSDT', trades: 20 });
  return framesSoFar(client);
}

async function framesSoFar(client: TestClient): Promise<string[]> {
  client.send({ method: 'LIST_SUBSCRIPTIONS', id: 1 });
  const isAnswer = (frame: string) => frame.startsWith('{"result"');
  for (let count = 1; !client.frames.some(isAnswer); count++) await client.received(count);
  return client.frames.splice(0).filter((frame) => !isAnswer(frame));
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);
const madeCount = async () => (await collect(simulator.made())).length;

describe('a fault', () => {
  test('drops so many frames, which were made but not sent', async () => {
    const client = await connect();
    const frames = await framesOf(client, { kind: 'drop', frames: 3, skip: 2 });
    const all = await madeCount();
    expect(await offsets(frames)).toEqual(upTo(all).filter((index) => index < 2 || index > 4));
    const sent = await collect(simulator.sent({ symbol: 'BTCUSDT' }));
    expect(sent).toHaveLength(all - 3);
    expect((await simulator.state()).frameFaults).toEqual([{ kind: 'drop', frames: 3, skip: 2, hit: 3 }]);
  });

  test('sends frames twice', async () => {
    const frames = await framesOf(await connect(), { kind: 'duplicate', frames: 2 });
    expect((await offsets(frames)).slice(0, 6)).toEqual([0, 0, 1, 1, 2, 3]);
    const sent = await collect(simulator.sent());
    expect(sent.slice(0, 5).map(({ fault }) => fault)).toEqual([null, 'duplicate', null, 'duplicate', null]);
  });

  test('sends frames in another order, and none is lost', async () => {
    const frames = await framesOf(await connect(), { kind: 'reorder', frames: 5, skip: 1 });
    const order = await offsets(frames);
    const head = order.slice(0, 6);
    expect(head).not.toEqual(upTo(6));
    expect([head[0], ...head.slice(1).sort((a, b) => a - b)]).toEqual(upTo(6));
    expect(order.slice(6)).toEqual(upTo(await madeCount()).slice(6));
  });

  test('reorders two frames by changing their places', async () => {
    const frames = await framesOf(await connect(), { kind: 'reorder', frames: 2 });
    expect((await offsets(frames)).slice(0, 3)).toEqual([1, 0, 2]);
  });

  test('delays frames, so that those behind them overtake', async () => {
    const client = await connect();
    const before = await framesOf(client, { kind: 'delay', frames: 2, delayMs: 500 });
    expect((await offsets(before))[0]).toBe(2);
    clock.advance(499);
    expect(await framesSoFar(client)).toEqual([]);
    clock.advance(1);
    expect(await offsets(await framesSoFar(client))).toEqual([0, 1]);
  });

  test('sends what is no JSON instead of a frame', async () => {
    const frames = await framesOf(await connect(), { kind: 'garbage', frames: 1, skip: 1 });
    expect(() => JSON.parse(frames[1] ?? '')).toThrow();
    expect(await offsets(frames.toSpliced(1, 1))).toEqual(upTo(await madeCount()).toSpliced(1, 1));
    const sent = await collect(simulator.sent());
    expect(sent[1]).toMatchObject({ symbol: 'BTCUSDT', fault: 'garbage', frame: frames[1] });
    const { connections } = await simulator.state();
    expect(connections[0]?.sent.BTCUSDT?.trades).toBe((await madeCount()) - 1);
  });

  test('sends the beginning of a frame instead of all of it', async () => {
    const [frame = ''] = await framesOf(await connect(), { kind: 'truncate', frames: 1 });
    expect(frame).toMatch(/^\{/);
    expect(() => JSON.parse(frame)).toThrow();
  });

  test('makes a frame as long as ordered, which stays JSON', async () => {
    const frames = await framesOf(await connect(), { kind: 'oversize', frames: 1, bytes: 200_000 });
    expect(frames[0]).toHaveLength(200_000);
    expect(await offsets(frames)).toEqual(upTo(await madeCount()));
  });

  test('applies where it is ordered: a connection, a symbol, an exchange', async () => {
    const [first, second] = [await connect(), await connect('btcusdt@trade/ethusdt@trade')];
    const all = { kind: 'drop', frames: 100_000 } as const;
    await simulator.addFrameFault({ ...all, exchange: 'kraken' });
    await simulator.addFrameFault({ ...all, connection: 2, symbol: 'BTCUSDT' });
    await simulator.burst({ trades: 30 });
    expect(await framesSoFar(first)).not.toEqual([]);
    const symbols = (await framesSoFar(second)).map((frame) => JSON.parse(frame).s);
    expect(new Set(symbols)).toEqual(new Set(['ETHUSDT']));
  });

  test('hits by chance the same frames again when the seed is the same', async () => {
    const fault = { kind: 'drop', frames: 1000, chance: 0.3 } as const;
    const runs: number[][] = [];
    for (const seed of ['a', 'a', 'b']) {
      const other = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 0, seed });
      await TestClient.connect(`${other.webSocketUrl}/ws/btcusdt@trade`);
      await other.addFrameFault(fault);
      await other.burst({ symbol: 'BTCUSDT', trades: 1000 });
      const { firstId } = (await other.state()).symbols[0] ?? {};
      runs.push((await collect(other.sent())).map(({ id }) => (id ?? 0) - (firstId ?? 0)));
      await other.close();
    }
    expect(runs[0]).toEqual(runs[1]);
    expect(runs[0]).not.toEqual(runs[2]);
    expect(runs[0]?.length).toBeGreaterThan(600);
    expect(runs[0]?.length).toBeLessThan(800);
  });

  test('leaves acknowledgements alone, and ends with reset', async () => {
    const client = await connect();
    await simulator.addFrameFault({ kind: 'drop', frames: 100 });
    expect(await client.ask({ method: 'LIST_SUBSCRIPTIONS', id: 1 })).toContain('btcusdt@trade');
    await simulator.reset();
    expect((await simulator.state()).frameFaults).toEqual([]);
  });
});

describe('over HTTP', () => {
  test('faults and what was made are the same calls', async () => {
    const control = simulatorControl(simulator.url);
    await control.addFrameFault({ kind: 'drop', frames: 2, chance: 0.5, exchange: 'binance', symbol: 'BTCUSDT' });
    await control.refuseSymbols({ symbols: ['ETHUSDT'] });
    await control.setClockSkew({ ms: -250.5 });
    await control.burst({ symbol: 'BTCUSDT', trades: 10 });
    await control.resetIds({ symbol: 'BTCUSDT' });
    expect(await control.state()).toMatchObject({
      clockSkewMs: -250.5,
      refusedSymbols: ['ETHUSDT'],
      frameFaults: [{ kind: 'drop', hit: 0 }],
    });
    const filter = { symbol: 'BTCUSDT', exchange: 'kraken' };
    const made = await collect(control.made(filter));
    expect(made).toEqual(await collect(simulator.made(filter)));
    expect(made[0]).toMatchObject({ symbol: 'BTC/USDT', quantity: expect.stringMatching(/^\d+\.\d{8}$/) });
    await control.reset();
    expect(await collect(control.made())).toEqual([]);
    expect(await control.state()).toMatchObject({ clockSkewMs: 0, refusedSymbols: [] });
  });

  test.each([
    ['frame-fault', '{"kind":"lose","frames":1}', 'kind: is "lose"; it must be one of drop, duplicate, reorder'],
    ['frame-fault', '{"kind":"drop"}', 'frames: is missing; it must be a number from 1 to 100000'],
    ['frame-fault', '{"kind":"drop","frames":1,"exchange":"mtgox"}', "exchange: 'mtgox' is not simulated"],
    ['refuse', '{"symbols":"BTCUSDT"}', 'symbols: is "BTCUSDT"; it must be a list'],
    ['clock-skew', '{"ms":1e12}', 'ms: is 1000000000000; it must be a number from -86400000 to 86400000'],
    ['id-reset', '{"symbol":"NOPE"}', "symbol: 'NOPE' is not listed; listed are BTCUSDT, ETHUSDT, BNBUSDT"],
    ['ban', '{"durationMs":1,"exchange":"mtgox"}', "exchange: 'mtgox' is not simulated; simulated are binance, kraken"],
  ])('a wrong %s is refused: %s', async (path, body, words) => {
    const response = await fetch(`${simulator.url}/control/${path}`, { method: 'POST', body });
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: string }).error).toContain(words);
  });
});
