// The cursor topic of a real broker, followed while others write to it in transactions, abort them or leave them open.
import { setImmediate } from 'node:timers/promises';
import { type Admin, Kafka, logLevel, type Producer, type Transaction } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CursorLog } from '../../worker/cursor-log.ts';
import { cursorRecord, ownerRecord } from '../../worker/cursor-records.ts';
import { required } from '../services/required.ts';

const bootstrapServers = required('K2_TEST_BOOTSTRAP_SERVERS');
const kafka = new Kafka({
  clientId: 'cursor-log-test',
  brokers: bootstrapServers.split(','),
  logLevel: logLevel.NOTHING,
});

const feed = 'default/binance';
const never = new AbortController().signal;
const later = { timeout: 30_000 };

let admin: Admin;
let topic: string;
let runs = 0;
let logs: CursorLog[] = [];
let producers: Producer[] = [];
let problems: (string | null)[] = [];
let unreadable: string[] = [];

beforeAll(async () => {
  admin = kafka.admin();
  await admin.connect();
});
afterAll(() => admin.disconnect());

beforeEach(async () => {
  topic = `cursor-log-test-${process.pid}-${Date.now()}-${runs++}`;
  [logs, producers, problems, unreadable] = [[], [], [], []];
  await createTopic(1);
});
afterEach(async () => {
  for (const log of logs) await log.close();
  for (const producer of producers) await producer.disconnect();
  await admin.deleteTopics({ topics: [topic] });
});

async function createTopic(numPartitions: number): Promise<void> {
  const configEntries = [{ name: 'cleanup.policy', value: 'compact' }];
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions, configEntries }] });
}

function follow(options: { topic?: string; servers?: string } = {}): CursorLog {
  const log = new CursorLog({
    bootstrapServers: (options.servers ?? bootstrapServers).split(','),
    clientId: 'cursor-log-test',
    topic: options.topic ?? topic,
    feed,
    monotonicMs: () => performance.now(),
    random: Math.random,
    onProblem: (problem) => problems.push(problem),
    onUnreadable: (why) => unreadable.push(why),
  });
  logs.push(log);
  return log;
}

async function producer(name: string): Promise<Producer> {
  const transactionalId = `${topic}/${name}`;
  const made = kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 });
  producers.push(made);
  await made.connect();
  return made;
}

async function begin(writer: Producer, symbol: string, ...ids: number[]): Promise<Transaction> {
  const transaction = await writer.transaction();
  const cursors = ids.map((id) => {
    const cursor = { lastId: BigInt(id), timeMs: id, gaps: [], lost: [], resetTimeMs: null };
    return cursorRecord({ topic, feed }, symbol, cursor, 1);
  });
  await transaction.send({ topic, messages: cursors.map(({ key, value }) => ({ key, value, partition: 0 })) });
  return transaction;
}
const commit = async (...args: Parameters<typeof begin>) => (await begin(...args)).commit();
const abort = async (...args: Parameters<typeof begin>) => (await begin(...args)).abort();

async function own(writer: Producer, state: 'owning' | 'released'): Promise<void> {
  const transaction = await writer.transaction();
  const owner = { instance: 'pod-1', state, symbols: ['A'], fenced: new Map() };
  const { key, value } = ownerRecord({ topic, feed }, 0, owner, 1);
  await transaction.send({ topic, messages: [{ key, value, partition: 0 }] });
  await transaction.commit();
}

/** Returns when all markers of the producer are in the log: taking its id waits for them. */
const settle = async (name: string) => producer(name).then(async (next) => (await next.transaction()).abort());

const lastIds = (log: CursorLog) =>
  Object.fromEntries([...log.view().cursors].map(([symbol, { lastId }]) => [symbol, Number(lastId)]));

describe('after it has caught up, the view has what was committed until then', () => {
  test('and nothing of what one producer aborted before, between and after', async () => {
    const writer = await producer('a');
    await abort(writer, 'A', 1);
    await abort(writer, 'A', 2, 3);
    await commit(writer, 'A', 4);
    await abort(writer, 'A', 5);
    await commit(writer, 'B', 6, 7);
    await abort(writer, 'B', 8);
    await abort(writer, 'C', 9);
    await settle('a');
    const log = follow();
    await log.catchUp(never);
    expect(lastIds(log)).toEqual({ A: 4, B: 7 });
    expect(problems).toEqual([null]);
    await commit(await producer('b'), 'C', 10);
    await expect.poll(() => lastIds(log), later).toEqual({ A: 4, B: 7, C: 10 });
  });

  test('although another producer has left a transaction open before it', async () => {
    const [stuck, writer] = [await producer('stuck'), await producer('a')];
    const open = await begin(stuck, 'A', 1);
    await commit(writer, 'B', 2);
    const log = follow();
    await expect.poll(() => lastIds(log), later).toEqual({ B: 2 });
    await open.commit();
    await expect.poll(() => lastIds(log), later).toEqual({ A: 1, B: 2 });
  });

  test('of a predecessor whose open transaction was aborted by who took its id', async () => {
    const writer = await producer('a');
    await commit(writer, 'A', 1);
    await begin(writer, 'A', 2);
    const successor = await producer('a');
    await commit(successor, 'B', 3);
    await settle('a');
    const log = follow();
    await log.catchUp(never);
    expect(lastIds(log)).toEqual({ A: 1, B: 3 });
  });
});

test('nothing of a long log is seen before it was read to its end', async () => {
  const lost = Array.from({ length: 100 }, () => ({ firstId: 1n, lastId: 1n, missing: 1n, why: 'x'.repeat(200) }));
  const cursor = { lastId: 1n, timeMs: 1, gaps: [], lost, resetTimeMs: null };
  const symbols = Array.from({ length: 400 }, (_, n) => `S${n}`);
  const writer = kafka.producer();
  producers.push(writer);
  await writer.connect();
  for (let first = 0; first < symbols.length; first += 20) {
    const some = symbols.slice(first, first + 20).map((symbol) => cursorRecord({ topic, feed }, symbol, cursor, 1));
    await writer.send({ topic, messages: some.map(({ key, value }) => ({ key, value })) });
  }
  const log = follow();
  for (let turns = 0; log.view().cursors.size === 0 && turns < 1_000_000; turns++) await setImmediate();
  expect(log.view().cursors.size).toBe(symbols.length);
});

test('rubbish is told and skipped', async () => {
  const writer = kafka.producer();
  producers.push(writer);
  await writer.connect();
  await writer.send({ topic, messages: [{ key: `cursor ${feed} A`, value: 'rubbish' }] });
  const log = follow();
  await log.catchUp(never);
  expect(unreadable).toEqual([`'cursor ${feed} A' at offset 0 is skipped: its value is not JSON`]);
});

test('it tells of each owner record, and when it was heard by a clock that goes on without records', async () => {
  const [log, writer] = [follow(), await producer('a')];
  await own(writer, 'owning');
  await log.changed(30_000, never);
  const heardMs = log.view().owners.get(0)?.heardMs ?? Number.NaN;
  await expect.poll(() => log.view().clockMs, later).toBeGreaterThan(heardMs + 1000);
  expect(log.view().owners.get(0)).toMatchObject({ instance: 'pod-1', state: 'owning', heardMs });
  const released = log.changed(30_000, never);
  await own(writer, 'released');
  await released;
  expect(log.view().owners.get(0)?.state).toBe('released');
  const startedMs = performance.now();
  await log.changed(50, never);
  expect(performance.now() - startedMs).toBeLessThan(5000);
});

describe('what keeps it from reading is told, and it goes on trying', () => {
  test('a topic that is not there, until it is made', async () => {
    await admin.deleteTopics({ topics: [topic] });
    const log = follow();
    const remedy = `the controller makes it, or: rpk topic create ${topic} -p 1 -c cleanup.policy=compact`;
    const sentence = `topic ${topic} does not exist on broker ${bootstrapServers}; ${remedy}`;
    await expect.poll(() => problems, later).toContain(sentence);
    await createTopic(1);
    await log.catchUp(never);
    expect(problems.at(-1)).toBeNull();
  });

  test('a topic of three partitions', async () => {
    const wide = `${topic}-wide`;
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic: wide, numPartitions: 3 }] });
    follow({ topic: wide });
    await expect.poll(() => problems.join(), later).toContain(`topic ${wide} has 3 partitions, and must have one`);
    await admin.deleteTopics({ topics: [wide] });
  });

  test('a broker that is away; and who waits to catch up can give up', async () => {
    const log = follow({ servers: '127.0.0.1:1' });
    await expect.poll(() => problems.length, later).toBeGreaterThan(1);
    expect(problems[0]).toContain('broker 127.0.0.1:1 does not answer');
    const waiting = new AbortController();
    const caughtUp = log.catchUp(waiting.signal);
    waiting.abort();
    await expect(caughtUp).rejects.toThrow();
  });

  test('a topic made anew: it is read from its start, and what it held before is forgotten', async () => {
    const [log, writer] = [follow(), await producer('a')];
    await commit(writer, 'A', 1);
    await commit(writer, 'A', 2);
    await expect.poll(() => lastIds(log), later).toEqual({ A: 2 });
    await admin.deleteTopics({ topics: [topic] });
    await createTopic(1);
    await commit(await producer('b'), 'B', 1);
    await expect.poll(() => lastIds(log), later).toEqual({ B: 1 });
  });
});
