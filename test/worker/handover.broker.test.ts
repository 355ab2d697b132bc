// Workers of one shard that end, die, hang and come back, with the exchange simulator, a real broker and a real
// registry: consumers that read committed see each trade once.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { signOfLifeMs, silenceMsMax } from '../../worker/ownership.ts';
import type { WorkerProcess } from './process.ts';
import { becomes, createWorkerGroup, later, metric, status, type WorkerGroup, writes } from './worker-group.ts';

vi.setConfig({ testTimeout: 120_000 });

let group: WorkerGroup;
beforeEach(async () => {
  group = await createWorkerGroup();
});
afterEach(() => group.end());

const times = (worker: WorkerProcess, words: string) => worker.log.filter(({ msg }) => msg.includes(words)).length;

describe('a standby takes over', () => {
  test('at once when the owner is told to end, and nothing is lost or doubled', async () => {
    const first = group.start('first');
    await becomes(first, 'owner');
    const second = group.start('second');
    await becomes(second, 'standby');
    expect((await status(second)).message).toContain('first');
    await writes(first);
    const startedMs = performance.now();
    first.child.kill('SIGTERM');
    await second.logged(({ msg }) => msg.startsWith('took over'));
    // A tenth of a second where the machine is not busy; of the owner's silence, nothing is waited for.
    expect(performance.now() - startedMs).toBeLessThan(5000);
    expect(await first.exited).toBe(0);
    await writes(second);
    await group.expectEachTradeOnce([second]);
  });

  test('after 15 s when the owner is killed, but not from one whose market is quiet', async () => {
    const first = group.start('first');
    await becomes(first, 'owner');
    const second = group.start('second');
    await becomes(second, 'standby');
    await writes(first);
    await group.simulator.pause();
    const transactions = () => metric(first, 'k2_worker_transaction_seconds_count');
    const before = await transactions();
    await expect.poll(transactions, later).toBeGreaterThan(before + silenceMsMax / signOfLifeMs + 1);
    expect((await status(second)).role).toBe('standby');
    await group.simulator.resume();
    first.child.kill('SIGKILL');
    const startedMs = performance.now();
    await becomes(second, 'owner');
    const tookMs = performance.now() - startedMs;
    expect(tookMs).toBeGreaterThan(9000);
    expect(tookMs).toBeLessThan(20_000);
    await writes(second);
    await group.expectEachTradeOnce([second]);
  });

  test('when the owner hangs, which then is fenced, writes nothing and does not take it back', async () => {
    const first = group.start('first');
    await becomes(first, 'owner');
    const second = group.start('second');
    await becomes(second, 'standby');
    await writes(first);
    first.child.kill('SIGSTOP');
    await becomes(second, 'owner');
    await writes(second);
    const writtenByFirst = first.log.length;
    first.child.kill('SIGCONT');
    await becomes(first, 'standby');
    expect(first.log.slice(writtenByFirst).some(({ msg }) => msg.includes('another worker has taken over'))).toBe(true);
    const before = (await status(first)).tradesTotal;
    await writes(second);
    await writes(second);
    expect((await status(first)).tradesTotal).toBe(before);
    expect([times(first, 'took over'), times(second, 'took over')]).toEqual([1, 1]);
    // It is a standby like any other: the next release is its turn.
    second.child.kill('SIGTERM');
    expect(await second.exited).toBe(0);
    await becomes(first, 'owner');
    await writes(first);
    await group.expectEachTradeOnce([first]);
  });

  test('on an exchange whose ids prove nothing, without doubles', async () => {
    await group.end();
    group = await createWorkerGroup('bybit');
    const first = group.start('first');
    await becomes(first, 'owner');
    const second = group.start('second');
    await becomes(second, 'standby');
    await writes(first);
    first.child.kill('SIGTERM');
    expect(await first.exited).toBe(0);
    await becomes(second, 'owner');
    await writes(second);
    await group.expectEachTradeOnce([second]);
  });
});

test('a standby that is told to end leaves at once, and leaves the owner alone', async () => {
  const first = group.start('first');
  await becomes(first, 'owner');
  const second = group.start('second');
  await becomes(second, 'standby');
  second.child.kill('SIGTERM');
  expect(await second.exited).toBe(0);
  await writes(first);
  expect(await metric(first, 'k2_worker_fenced_total')).toBe(0);
  await group.expectEachTradeOnce([first]);
});

test('a symbol that moves to another shard takes its cursor along, and one of them at a time writes it', async () => {
  const both = group.start('both');
  await becomes(both, 'owner');
  await writes(both);
  const moved = group.start('moved', { K2_SHARD: '1', K2_SYMBOLS: 'BNBUSDT' });
  await becomes(moved, 'standby');
  expect((await status(moved)).message).toBe('standby: shard 0 (both) writes BNBUSDT');
  const rest = group.start('rest', { K2_SYMBOLS: 'BTCUSDT,ETHUSDT' });
  await becomes(rest, 'standby');
  both.child.kill('SIGTERM');
  await Promise.all([becomes(rest, 'owner'), becomes(moved, 'owner')]);
  await Promise.all([writes(rest), writes(moved)]);
  await group.expectEachTradeOnce([rest, moved]);
});

test('a cursor topic that is missing is told, and the worker goes on once it is there', async () => {
  const worker = group.start('first', { K2_KAFKA_TOPIC_CURSORS: `${group.topics.cursors}.missing` });
  await expect
    .poll(() => worker.get('/readyz'), later)
    .toMatchObject({
      status: 503,
      body: expect.stringContaining(`rpk topic create ${group.topics.cursors}.missing`),
    });
  expect((await status(worker)).tradesTotal).toBe(0);
  worker.child.kill('SIGTERM');
  expect(await worker.exited).toBe(0);
});

describe('a worker', () => {
  test('that was killed and started again under the same name goes on at once', async () => {
    const first = group.start('first');
    await becomes(first, 'owner');
    await writes(first);
    first.child.kill('SIGKILL');
    await first.exited;
    const again = group.start('first');
    const startedMs = performance.now();
    await becomes(again, 'owner');
    expect(performance.now() - startedMs).toBeLessThan(8000);
    await writes(again);
    await group.expectEachTradeOnce([again]);
  });

  test('goes on where one that wrote at least once has ended', async () => {
    const first = group.start('first', { K2_DELIVERY: 'AtLeastOnce' });
    await becomes(first, 'owner');
    await writes(first);
    first.child.kill('SIGTERM');
    expect(await first.exited).toBe(0);
    await group.simulator.burst({ trades: 2000 });
    const second = group.start('second');
    await becomes(second, 'owner');
    await writes(second);
    await group.expectEachTradeOnce([second]);
    expect((await group.topics.trades()).filter(({ isBackfilled }) => isBackfilled).length).toBeGreaterThanOrEqual(
      2000,
    );
  });
});

test('counts go on with those of the worker before, and are those of the topic', async () => {
  const first = group.start('first');
  await becomes(first, 'owner');
  await group.simulator.addFrameFault({ kind: 'drop', frames: 5 });
  await writes(first);
  first.child.kill('SIGKILL');
  await first.exited;
  // The same instance, as a container that restarts in its pod.
  const second = group.start('first');
  await becomes(second, 'owner');
  await writes(second);
  await group.expectEachTradeOnce([second]);
  const trades = await group.topics.trades();
  const cursors = new Map(
    (await group.topics.consume(group.topics.cursors)).map(({ key, value }) => [`${key}`, value]),
  );
  const inTopic = (symbol: string) => trades.filter((trade) => trade.symbol === symbol);
  for (const symbol of ['BTCUSDT', 'ETHUSDT', 'BNBUSDT']) {
    const { counts } = JSON.parse(String(cursors.get(`cursor test/${group.topics.normalized} ${symbol}`)));
    const repaired = inTopic(symbol).filter(({ isBackfilled }) => isBackfilled).length;
    expect(counts).toMatchObject({ written: inTopic(symbol).length, repaired });
  }
});
