import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { binance } from '../../worker/exchanges/binance.ts';
import { Handover, type HandoverOptions } from '../../worker/handover.ts';
import { createMetrics } from '../../worker/metrics.ts';
import { signOfLifeMs, silenceMsMax } from '../../worker/ownership.ts';
import { Status } from '../../worker/status.ts';
import { Symbols, type Written } from '../../worker/symbols.ts';
import { MemoryCursorLog, MemoryLog } from './memory-log.ts';

let log: MemoryLog;
let clock: { nowMs: number };
let stop: AbortController;
let workers: Worker[];

beforeEach(() => {
  log = new MemoryLog();
  clock = { nowMs: 0 };
  stop = new AbortController();
  workers = [];
});
afterEach(async () => {
  stop.abort();
  await Promise.all(workers.map(({ ended }) => ended));
});

interface Worker {
  handover: Handover;
  status: Status;
  ended: Promise<void>;
  /** What was asked of the parts, in order. */
  steps: string[];
  /** Time passes: what waits looks again. */
  after(ms: number): Promise<void>;
  /** The producer's loop: commits what is due, or finds itself fenced. */
  commit(): void;
  metric(name: string): Promise<number>;
}

function start(instance: string, changes: Partial<HandoverOptions> & { shard?: number; symbols?: string[] } = {}) {
  const { shard = 0, symbols = ['BTCUSDT'], ...rest } = changes;
  const steps: string[] = [];
  const cursorLog = new MemoryCursorLog(log, clock);
  const known = new Symbols(binance);
  const topics = { topicRaw: 'raw', topicNormalized: 'normalized' };
  const nothing = { proven: false, message: '', provable: true, written: 0, backfilled: 0, duplicates: 0 };
  const continuityOf = () => ({ ...nothing, missing: 0, gaps: [] });
  const monotonicMs = () => clock.nowMs;
  const status = new Status({ exchange: 'binance', symbols, ...topics, continuityOf, monotonicMs });
  const sources = { buffered: () => ({ records: 0, bytes: 0 }), kept: () => ({ frames: 0, bytes: 0 }) };
  const metrics = createMetrics({
    status,
    symbols: known,
    ...sources,
    ownerSilenceMs: () => handover.ownerSilenceMs(),
  });
  let epoch: number | null = null;
  const idOf = (ofShard: number) => `default/test/${ofShard}`;

  function commit(): void {
    if (epoch === null) return;
    const isFenced = log.epochs.get(idOf(shard)) !== epoch;
    const owner = handover.sign();
    if (isFenced) {
      epoch = null;
      handover.onFenced('PRODUCER_FENCED');
    } else if (owner) {
      log.write(shard, owner);
    }
  }
  const producer: HandoverOptions['producer'] = {
    async claim() {
      steps.push('claim');
      epoch = log.claim(idOf(shard));
    },
    async fence(id) {
      steps.push(`fence ${id}`);
      log.claim(id);
    },
    resign() {
      epoch = null;
    },
    async flush() {
      commit();
      return 0;
    },
  };
  const feed = {
    subscribed: () => Promise.resolve(),
    takeOver: (written: Written) => void steps.push(`write ${[...written.keys()]}`),
    standBy: () => void steps.push('stand by'),
  };
  const report: HandoverOptions['report'] = (part, problem) => void status.report(part, problem);
  const handover = new Handover({
    claimant: { shard, instance, symbols },
    transactionalIdOf: idOf,
    cursorLog,
    producer,
    resume: () => Promise.resolve(new Map()),
    report,
    status,
    metrics,
    log: pino({ level: 'silent' }),
    monotonicMs,
    random: () => 0,
    ...rest,
  });
  const ended = cursorLog.catchUp().then(() => handover.run(feed, stop.signal));
  const worker: Worker = {
    handover,
    status,
    ended,
    steps,
    commit,
    async after(ms) {
      clock.nowMs += ms;
      cursorLog.look();
      await settled();
    },
    async metric(name) {
      const [value] = (await metrics.registry.getSingleMetric(name)?.get())?.values ?? [];
      return value?.value ?? 0;
    },
  };
  workers.push(worker);
  return worker;
}

/** Everything that waits for nothing but other parts has happened. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

async function owner(instance: string): Promise<Worker> {
  const worker = start(instance);
  await settled();
  expect(worker.status.role()).toBe('owner');
  return worker;
}

describe('a worker takes over', () => {
  test('a shard that nobody owns: it claims, and writes only then', async () => {
    const first = await owner('first');
    expect(first.steps).toEqual(['claim', 'write ']);
    expect(log.told()).toEqual(['first owning']);
  });

  test('not while another one owns the shard, and it says what it waits for', async () => {
    await owner('first');
    const second = start('second');
    await settled();
    expect(second.steps).toEqual([]);
    second.status.report('connection', null);
    second.status.setSymbols(['BTCUSDT'], 'subscribed');
    expect([second.status.notReady(), second.status.notStreaming()]).toEqual([null, 'standby: first owns it']);
  });

  test('as soon as the owner has released it', async () => {
    const first = await owner('first');
    const second = start('second');
    await settled();
    expect(await first.handover.drain(1000)).toBe(0);
    await settled();
    expect(second.steps).toEqual(['claim', 'write ']);
    expect(log.told()).toEqual(['first owning', 'first released', 'second owning']);
  });

  test('after 15 s of silence, not sooner; the old owner finds itself fenced and does not take it back', async () => {
    const first = await owner('first');
    const second = start('second');
    await settled();
    await second.after(silenceMsMax - 1);
    expect(second.steps).toEqual([]);
    expect(second.handover.ownerSilenceMs()).toBe(silenceMsMax - 1);
    await second.after(1);
    expect(second.steps).toEqual(['claim', 'write ']);
    first.commit();
    expect(first.steps).toEqual(['claim', 'write ', 'stand by']);
    expect([first.status.role(), await first.metric('k2_worker_fenced_total')]).toEqual(['standby', 1]);
    await settled();
    for (let ms = 0; ms < 10 * silenceMsMax; ms += signOfLifeMs) {
      second.commit();
      await first.after(signOfLifeMs);
    }
    expect(first.steps).toEqual(['claim', 'write ', 'stand by']);
  });

  test('at once what it owned itself before a restart', async () => {
    log.write(0, { instance: 'first', state: 'owning', symbols: ['BTCUSDT'], fenced: new Map() });
    const first = await owner('first');
    expect(first.steps).toEqual(['claim', 'write ']);
  });
});

describe('the owner', () => {
  test('tells of life at least every 5 s, however often it commits', async () => {
    const first = await owner('first');
    for (let ms = 0; ms < 60_000; ms += 1000) {
      clock.nowMs += 1000;
      first.commit();
    }
    expect(log.records.length).toBeGreaterThanOrEqual(1 + 60_000 / signOfLifeMs);
    expect(log.records.length).toBeLessThan(1 + 60_000 / 3000);
  });

  test('says when it ends, in its last transaction; a standby says nothing', async () => {
    const first = await owner('first');
    const second = start('second');
    await settled();
    expect(await second.handover.drain(1000)).toBe(0);
    expect(log.told()).toEqual(['first owning']);
    stop.abort();
    await first.ended;
    expect(await first.handover.drain(1000)).toBe(0);
    expect(log.told()).toEqual(['first owning', 'first released']);
  });
});

describe('a take-over that fails', () => {
  test('because the broker has no transactions leaves the worker unready, with the reason', async () => {
    const why = 'broker b:9092 does not support transactions; set delivery: AtLeastOnce';
    const refuse = {
      claim: () => Promise.reject(new Error(why)),
      resign() {},
      fence: async () => {},
      flush: async () => 0,
    };
    const worker = start('first', { producer: refuse });
    await settled();
    worker.status.report('connection', null);
    worker.status.setSymbols(['BTCUSDT'], 'subscribed');
    expect(worker.status.notReady()).toBe(`cannot take over: ${why}`);
    expect(worker.status.role()).toBe('standby');
  });

  test('half way gives its claim back, so that another can take over', async () => {
    const first = start('first', { resume: () => Promise.reject(new Error('the topic cannot be read')) });
    await settled();
    expect(log.told()).toEqual(['first owning', 'first released']);
    first.status.report('connection', null);
    expect(first.status.notReady()).toBe('cannot take over: the topic cannot be read');
    const second = start('second');
    await settled();
    expect(second.steps).toEqual(['claim', 'write ']);
  });
});

describe('a symbol that moves to another shard', () => {
  test('is written by the new one once the old one has given it up', async () => {
    const old = start('old', { shard: 0, symbols: ['BTCUSDT', 'ETHUSDT'] });
    await settled();
    const added = start('added', { shard: 1, symbols: ['ETHUSDT'] });
    await settled();
    expect(added.steps).toEqual([]);
    await old.handover.drain(1000);
    await settled();
    expect(added.steps).toEqual(['claim', 'write ']);
  });

  test('is taken from an old one that is silent, which is fenced first', async () => {
    start('old', { shard: 0, symbols: ['BTCUSDT', 'ETHUSDT'] });
    await settled();
    const added = start('added', { shard: 1, symbols: ['ETHUSDT'] });
    await settled();
    await added.after(silenceMsMax);
    expect(added.steps).toEqual(['fence default/test/0', 'claim', 'write ']);
  });
});
