import { afterEach, describe, expect, test } from 'vitest';
import { BatchProducer } from '../../../worker/producer/batch-producer.ts';
import { answeredRecordsMax, bufferBytesMax, bufferRecordsMax } from '../../../worker/producer/buffer.ts';
import { partitionHash } from '../../../worker/producer/partition.ts';
import type { ProducerRecord } from '../../../worker/producer/producer.ts';
import { type Fate, type StubCluster, startStubCluster } from './stub-cluster.ts';

let producer: BatchProducer | null = null;
let cluster: StubCluster | null = null;
afterEach(async () => {
  await producer?.close();
  await cluster?.close();
  producer = null;
  cluster = null;
});

function start(bootstrapServers: string[]) {
  const failures: string[] = [];
  const delivered: ProducerRecord[] = [];
  const created = new BatchProducer({
    bootstrapServers,
    clientId: 'test',
    random: () => 0,
    onDelivered: (records) => delivered.push(...records),
    onRetry: (why) => failures.push(why),
  });
  producer = created;
  return { producer: created, failures, delivered };
}

/** A producer whose broker refuses connections. */
const startWithoutBroker = () => start(['127.0.0.1:1']);

const record = (value: Buffer, key: string | null = 'k'): ProducerRecord => {
  return { topic: 't', key, value, headers: [], timeMs: 0, exchangeTimeMs: null };
};

describe('without a broker', () => {
  test('the buffer is full after so many records, and it is said how many were not written', async () => {
    const { producer, failures } = startWithoutBroker();
    producer.append(record(Buffer.alloc(10)));
    await expect.poll(() => failures.length).toBeGreaterThan(0);
    let taken = 2;
    while (producer.append(record(Buffer.alloc(10)))) taken++;
    expect(taken).toBe(bufferRecordsMax + 1);
    expect(await producer.flush(1)).toBe(taken);
  });

  test('the buffer is full after so many bytes', () => {
    const { producer } = startWithoutBroker();
    while (producer.append(record(Buffer.alloc(100_000))));
    const { bytes, records } = producer.buffered();
    expect(bytes).toBeGreaterThan(bufferBytesMax);
    expect(bytes).toBeLessThan(bufferBytesMax + 110_000);
    expect(records).toBeGreaterThan(300);
  });

  test('the reason of a failed request is told, with the address', async () => {
    const { producer, failures } = startWithoutBroker();
    producer.append(record(Buffer.alloc(10)));
    await expect.poll(() => failures.length).toBeGreaterThan(1);
    expect(failures[0]).toMatch(/^cannot write to 127\.0\.0\.1:1: .*ECONNREFUSED 127\.0\.0\.1:1/);
  });

  test('an empty buffer has room and is flushed at once', async () => {
    const { producer } = startWithoutBroker();
    await producer.room();
    expect(await producer.flush(60_000)).toBe(0);
  });

  test('its absence is told when topics are checked', async () => {
    const { producer } = startWithoutBroker();
    await expect(producer.checkTopics(['t'])).rejects.toThrow(/^broker 127\.0\.0\.1:1 does not answer: .*ECONNREFUSED/);
  });
});

/** Appends records while the event loop turns, so that many requests carry them; the values of each key count up. */
async function appendAll(producer: BatchProducer, count: number, keys: string[]): Promise<Map<string, string[]>> {
  const appended = new Map<string, string[]>();
  for (let index = 0; index < count; index++) {
    const key = keys[index % keys.length] ?? '';
    const value = `${key} ${index}`;
    appended.set(key, [...(appended.get(key) ?? []), value]);
    producer.append(record(Buffer.from(value), key));
    if (index % 7 === 0) await new Promise(setImmediate);
  }
  return appended;
}

/** The log of the partitions, by key; fails when a key is in two. */
function written({ partitions }: StubCluster): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { log } of partitions) {
    for (const [key = '', values = []] of Object.entries(Object.groupBy(log, (value) => value.split(' ')[0] ?? ''))) {
      expect(found.has(key)).toBe(false);
      found.set(key, values);
    }
  }
  return found;
}

const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

describe('on a cluster', () => {
  test.each<[string, Fate[]]>([
    ['nothing fails', []],
    ['connections end before the broker has read', ['cut before', 'cut before', 'cut before']],
    ['connections end before the broker has answered', ['cut after', 'cut after', 'cut after']],
    ['the broker leads no more', [6, 6, 6]],
    ['the broker knows no order', [45, 59, 45]],
    ['everything fails in turn', ['cut after', 7, 'cut before', 45, 5, 19]],
  ])('each record is written once and in order of its key when %s', async (_, fates) => {
    cluster = await startStubCluster(2, 4);
    cluster.fate = (request) => fates[request] ?? 'good';
    const { producer, delivered, failures } = start(cluster.servers);
    const appended = await appendAll(producer, 300, keys);
    expect(await producer.flush(20_000)).toBe(0);
    expect(written(cluster)).toEqual(appended);
    expect(delivered.length).toBe(300);
    expect(failures.length).toBeGreaterThanOrEqual(fates.length);
    expect(producer.buffered()).toEqual({ records: 0, bytes: 0 });
  });

  test('partitions that move to another broker are followed', async () => {
    cluster = await startStubCluster(2, 4);
    const { producer, failures } = start(cluster.servers);
    const before = await appendAll(producer, 50, ['a', 'b']);
    await producer.flush(20_000);
    cluster.leaders = [1, 0, 1, 0];
    const after = await appendAll(producer, 50, ['c', 'd']);
    expect(await producer.flush(20_000)).toBe(0);
    expect(written(cluster)).toEqual(new Map([...before, ...after]));
    expect(failures.some((why) => /partition \d of t: NOT_LEADER_OR_FOLLOWER/.test(why))).toBe(true);
  });

  test('a burst is one request for each broker, and what comes during it is the next', async () => {
    cluster = await startStubCluster(1, 4);
    const { producer } = start(cluster.servers);
    await producer.checkTopics(['t']);
    for (let index = 0; index < 1000; index++) producer.append(record(Buffer.from(`${index}`), keys[index % 7] ?? ''));
    await producer.flush(20_000);
    expect(cluster.requests.length).toBe(1);
    expect(cluster.requests[0]?.length).toBeGreaterThan(1);
  });

  test('records without a key go to partition 0', async () => {
    cluster = await startStubCluster(1, 3);
    const { producer } = start(cluster.servers);
    producer.append(record(Buffer.from('x 1'), null));
    await producer.flush(20_000);
    expect(cluster.partitions[0]?.log).toEqual(['x 1']);
  });

  test('a partition that the broker refuses does not hold up the others', async () => {
    const corrupt = 2;
    const running = await startStubCluster(2, 2);
    cluster = running;
    const { producer, delivered } = start(running.servers);
    await producer.checkTopics(['t']);
    // Keys on both partitions, hence both brokers; the broker of the first refuses whatever comes.
    running.fate = (request) => (running.requests[request]?.includes(0) ? corrupt : 'good');
    await appendAll(producer, 70, keys);
    const inSecond = keys.filter((key) => partitionHash(Buffer.from(key)) % 2 === 1).length * 10;
    await expect.poll(() => delivered.length).toBe(inSecond);
    expect(await producer.flush(1)).toBe(70 - inSecond);
  });

  test('while it answers, less is buffered than in its absence', async () => {
    cluster = await startStubCluster(1, 1);
    cluster.fate = () => 'answer nothing';
    const { producer } = start(cluster.servers);
    await producer.checkTopics(['t']);
    let taken = 1;
    while (producer.append(record(Buffer.alloc(10)))) taken++;
    expect(taken).toBe(answeredRecordsMax + 1);
    // Its answer is late now, and there is room again without one.
    await producer.room();
    expect(producer.buffered().records).toBe(taken);
    expect(producer.append(record(Buffer.alloc(10)))).toBe(true);
  });

  test('when it is closed during a request, nothing is reported any more', async () => {
    cluster = await startStubCluster(1, 1);
    cluster.fate = () => 'answer nothing';
    const { producer, failures, delivered } = start(cluster.servers);
    producer.append(record(Buffer.from('a')));
    await expect.poll(() => cluster?.requests.length).toBe(1);
    expect(await producer.flush(1)).toBe(1);
    await producer.close();
    expect({ failures, delivered }).toEqual({ failures: [], delivered: [] });
  });
});
