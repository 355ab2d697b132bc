import { describe, expect, test } from 'vitest';
import { type ContinuityStatus, workerStatusSchema } from '../../api/worker-status.ts';
import type { ProducerRecord } from '../../worker/producer/producer.ts';
import { Status } from '../../worker/status.ts';

function createStatus(symbols = ['BTCUSDT', 'ETHUSDT']) {
  const clock = { nowMs: 1000 };
  const monotonicMs = () => clock.nowMs;
  const topics = { topicRaw: 'raw', topicNormalized: 'normalized' };
  const continuityOf = (symbol: string) => (symbol === 'BTCUSDT' ? nothingMissing : { ...nothingMissing, missing: 1 });
  return { clock, status: new Status({ exchange: 'binance', symbols, ...topics, continuityOf, monotonicMs }) };
}

const nothingMissing: ContinuityStatus = {
  proven: true,
  message: '',
  provable: true,
  written: 3,
  backfilled: 0,
  duplicates: 0,
  missing: 0,
  gaps: [],
};

const record = (topic: string, key: string, exchangeTimeMs: number | null): ProducerRecord => {
  return { topic, key, value: Buffer.alloc(0), headers: [], timeMs: 0, exchangeTimeMs };
};
const trades = (count: number, timeMs = 5) =>
  Array.from({ length: count }, () => record('normalized', 'BTCUSDT', timeMs));

describe('readiness', () => {
  test('begins with not being connected', () => {
    expect(createStatus().status.notReady()).toBe('not connected yet');
  });

  test('needs one acknowledged symbol', () => {
    const { status } = createStatus();
    status.setOwner();
    status.report('connection', null);
    expect(status.notReady()).toBe('no subscription is acknowledged yet');
    status.setSymbols(['ETHUSDT'], 'subscribed');
    expect(status.notReady()).toBeNull();
  });

  test('tells the first problem in the order of the start', () => {
    const { status } = createStatus();
    status.report('producer', 'broker away');
    status.report('topics', 'topic missing');
    expect(status.notReady()).toBe('topic missing');
    status.report('topics', null);
    status.report('connection', null);
    expect(status.notReady()).toBe('broker away');
  });

  test('of a standby needs all its symbols, because the owner ends then', () => {
    const { status } = createStatus();
    status.report('connection', null);
    status.setSymbols(['ETHUSDT'], 'subscribed');
    expect(status.notReady()).toBe('1 of 2 symbols are not subscribed yet');
    status.setSymbols(['BTCUSDT'], 'refused', 'not listed');
    expect(status.notReady()).toBeNull();
  });

  test('says when every symbol is refused, and why', () => {
    const { status } = createStatus(['NOPE', 'NADA']);
    for (const symbol of ['NOPE', 'NADA']) status.setSymbols([symbol], 'refused', `${symbol} is not listed`);
    expect(status.notReady()).toBe('every symbol is refused: NOPE is not listed; NADA is not listed');
  });

  test('a problem is new only once', () => {
    const { status } = createStatus();
    expect([status.report('producer', 'a'), status.report('producer', 'a'), status.report('producer', 'b')]).toEqual([
      true,
      false,
      true,
    ]);
    expect([status.report('producer', null), status.report('producer', null)]).toEqual([true, false]);
  });
});

describe('the status page', () => {
  test('follows the contract that the controller reads', () => {
    const { status, clock } = createStatus();
    status.setOwner();
    status.report('connection', null);
    status.setSymbols(['BTCUSDT'], 'subscribed');
    status.setSymbols(['ETHUSDT'], 'refused', 'not listed');
    status.delivered([record('raw', 'BTCUSDT', null), ...trades(2, 7), ...trades(1, 6)]);
    clock.nowMs += 1000;
    expect(workerStatusSchema.parse(status.snapshot())).toEqual({
      exchange: 'binance',
      role: 'owner',
      streaming: true,
      message: '',
      symbols: [
        { symbol: 'BTCUSDT', state: 'subscribed', message: '', lastTradeTimeMs: 7, continuity: nothingMissing },
        {
          symbol: 'ETHUSDT',
          state: 'refused',
          message: 'not listed',
          lastTradeTimeMs: null,
          continuity: { ...nothingMissing, missing: 1 },
        },
      ],
      completeness: 85.71,
      tradesTotal: 3,
      tradesPerSecond: 3,
    });
  });

  test('says of a standby what it waits for, though it is ready', () => {
    const { status } = createStatus(['BTCUSDT']);
    status.report('connection', null);
    status.setSymbols(['BTCUSDT'], 'subscribed');
    expect(status.setStandby('binance-0-a owns shard 0')).toBe(true);
    expect(status.setStandby('binance-0-a owns shard 0')).toBe(false);
    expect(status.notReady()).toBeNull();
    expect(status.snapshot()).toMatchObject({
      role: 'standby',
      streaming: false,
      message: 'standby: binance-0-a owns shard 0',
    });
    status.setOwner();
    expect(status.snapshot()).toMatchObject({ role: 'owner', streaming: true, message: '' });
  });

  test('counts trades per second over the last ten seconds', () => {
    const { status, clock } = createStatus();
    for (let second = 0; second < 30; second++) {
      status.delivered(trades(second < 20 ? 100 : 7));
      clock.nowMs += 1000;
    }
    expect(status.snapshot().tradesPerSecond).toBe(7);
    clock.nowMs += 5000;
    expect(status.snapshot().tradesPerSecond).toBe(3.5);
    clock.nowMs += 3_600_000;
    expect(status.snapshot().tradesPerSecond).toBe(0);
  });

  test('counts trades per second since the start where that is shorter', () => {
    const { status, clock } = createStatus();
    for (let second = 0; second < 4; second++) {
      status.delivered(trades(50));
      clock.nowMs += 1000;
    }
    expect(status.snapshot().tradesPerSecond).toBe(50);
  });
});

test('the line a minute has totals, and what came since the line before', () => {
  const { status, clock } = createStatus();
  status.delivered([record('raw', 'BTCUSDT', null), ...trades(60)]);
  status.countError();
  clock.nowMs += 60_000;
  expect(status.line()).toEqual({
    raw: 1,
    normalized: 60,
    errors: 1,
    rawSince: 1,
    normalizedSince: 60,
    errorsSince: 1,
    rate: 1,
  });
  status.delivered(trades(30));
  clock.nowMs += 60_000;
  expect(status.line()).toMatchObject({
    raw: 1,
    normalized: 90,
    rawSince: 0,
    normalizedSince: 30,
    errorsSince: 0,
    rate: 0.5,
  });
});
