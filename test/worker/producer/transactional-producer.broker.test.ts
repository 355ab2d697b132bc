import { ConnectionPool, findErrorBy, Producer as LibraryProducer, ProtocolError } from '@platformatic/kafka';
import { type Admin, Kafka, type KafkaMessage, logLevel } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { PartitionQueue } from '../../../worker/producer/partition-queue.ts';
import { produce } from '../../../worker/producer/produce.ts';
import type { ProducerRecord } from '../../../worker/producer/producer.ts';
import { transactionCodes as codes, meaningOf } from '../../../worker/producer/transaction-failures.ts';
import {
  addPartitions,
  endTransaction,
  findCoordinator,
  initProducerId,
  type ProducerIdentity,
} from '../../../worker/producer/transaction-requests.ts';
import { TransactionalProducer } from '../../../worker/producer/transactional-producer.ts';
import { required } from '../../services/required.ts';

const bootstrapServers = required('K2_TEST_BOOTSTRAP_SERVERS').split(',');
const [host = '', port] = (bootstrapServers[0] ?? '').split(':');

const kafka = new Kafka({ clientId: 'test', brokers: bootstrapServers, logLevel: logLevel.NOTHING });
const waitMs = 20_000;

let admin: Admin;
let topic: string;
let runs = 0;
let pool: ConnectionPool;
const producers: TransactionalProducer[] = [];

beforeAll(async () => {
  admin = kafka.admin();
  await admin.connect();
});
afterAll(() => admin.disconnect());
beforeEach(async () => {
  topic = `transactions-test-${process.pid}-${Date.now()}-${runs++}`;
  pool = new ConnectionPool('test');
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 3 }] });
});
afterEach(async () => {
  await Promise.all(producers.splice(0).map((producer) => producer.close()));
  await pool.close();
  await admin.deleteTopics({ topics: [topic] });
});

const record = (key: string, value: string): ProducerRecord => {
  return { topic, key, value: Buffer.from(value), headers: [], timeMs: Date.now(), exchangeTimeMs: null };
};

function start(attach: () => ProducerRecord[] = () => []) {
  const fencings: string[] = [];
  const producer = new TransactionalProducer({
    bootstrapServers: bootstrapServers ?? [],
    clientId: 'test',
    random: Math.random,
    onDelivered: () => {},
    onRetry: () => {},
    // Of the topic: each test has its own.
    transactionalId: topic,
    monotonicMs: () => performance.now(),
    silenceMsMax: 60_000,
    attach,
    onFenced: (why) => fencings.push(why),
  });
  producers.push(producer);
  return { producer, fencings };
}

/** So many committed values, by key in order; what is open or aborted is not among them. */
async function committed(count: number): Promise<Map<string, string[]>> {
  const consumer = kafka.consumer({ groupId: `${topic}-${runs++}`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const found = new Map<string, string[]>();
  let left = count;
  await new Promise<void>((resolve) => {
    const eachMessage = async ({ message }: { message: KafkaMessage }) => {
      const key = String(message.key);
      found.set(key, [...(found.get(key) ?? []), String(message.value)]);
      if (--left <= 0) resolve();
    };
    void consumer.run({ eachMessage });
  });
  await consumer.disconnect();
  return found;
}

/** A predecessor's open transaction, as far as the coordinator knows. */
async function leaveOpen(): Promise<ProducerIdentity> {
  const connection = await pool.get({ host, port: Number(port) });
  const { codes: found } = await untilNotBusy(() => findCoordinator(connection, topic));
  expect(found).toEqual([0]);
  const owner = await untilNotBusy(() => initProducerId(connection, topic, 60_000, null));
  expect(owner.codes).toEqual([0]);
  const partitions = new Map([[topic, [0, 1, 2]]]);
  const { codes: added } = await untilNotBusy(() => addPartitions(connection, topic, owner, partitions));
  expect(added).toEqual([0, 0, 0]);
  return owner;
}

test('thousands of records in many transactions are committed once and in order, with what is attached', async () => {
  let cursors = 0;
  const { producer, fencings } = start(() => [record('cursor', `${cursors++}`)]);
  await producer.claim();
  const count = 20_000;
  for (let index = 0; index < count; index++) {
    producer.append(record(`key ${index % 13}`, `${index}`));
    if (index % 100 === 0) await new Promise(setImmediate);
  }
  expect(await producer.flush(waitMs)).toBe(0);
  const found = await committed(count + cursors);
  expect(found.get('cursor')).toEqual(Array.from({ length: cursors }, (_, index) => `${index}`));
  for (let key = 0; key < 13; key++) {
    const values = found.get(`key ${key}`) ?? [];
    expect(values).toEqual(Array.from({ length: values.length }, (_, index) => `${13 * index + key}`));
  }
  expect(cursors).toBeGreaterThan(1);
  expect(fencings).toEqual([]);
});

test('who takes over aborts what the old owner left open, and fences it', async () => {
  const old = await leaveOpen();
  const { producer } = start();
  await producer.claim();
  producer.append(record('k', 'new'));
  expect(await producer.flush(waitMs)).toBe(0);
  const connection = await pool.get({ host, port: Number(port) });
  const partitions = new Map([[topic, [0]]]);
  const answers = [
    await untilNotBusy(() => endTransaction(connection, topic, old, true)),
    await untilNotBusy(() => addPartitions(connection, topic, old, partitions)),
    await untilNotBusy(() => initProducerId(connection, topic, 60_000, old)),
  ];
  const { producerFenced, invalidProducerEpoch } = codes;
  expect(answers.flatMap(({ codes }) => codes)).toEqual([producerFenced, producerFenced, invalidProducerEpoch]);
});

test('an owner that is fenced says so at its next transaction, and what is committed is of the new one', async () => {
  const first = start();
  const second = start();
  await first.producer.claim();
  first.producer.append(record('k', 'a'));
  expect(await first.producer.flush(waitMs)).toBe(0);
  await second.producer.claim();
  first.producer.append(record('k', 'lost'));
  await first.producer.flush(waitMs);
  expect(first.fencings).toHaveLength(1);
  second.producer.append(record('k', 'b'));
  expect(await second.producer.flush(waitMs)).toBe(0);
  await first.producer.claim();
  first.producer.append(record('k', 'c'));
  expect(await first.producer.flush(waitMs)).toBe(0);
  expect(await committed(3)).toEqual(new Map([['k', ['a', 'b', 'c']]]));
});

test('where a sequence was lost, the next epoch takes the same records in another transaction', async () => {
  const connection = await pool.get({ host, port: Number(port) });
  const lost = await leaveOpen();
  let queue = new PartitionQueue(topic, 0);
  const send = async ({ producerId, epoch }: ProducerIdentity) => {
    const bytes = queue.send({ producerId, epoch, isTransactional: true }, 1000);
    return (await produce(connection, topic, [{ topic, partition: 0, bytes }])).codeOf(queue);
  };
  queue.add(record('k', 'a'));
  expect(await send(lost)).toBe(0);
  queue.settle(0);
  // A batch that the broker never saw counts as delivered: from here on the queue is ahead of the log.
  queue.add(record('k', 'never sent'));
  queue.send({ ...lost, isTransactional: true }, 1000);
  queue.settle(0);
  queue.add(record('k', 'b'));
  const code = (await send(lost)) ?? 0;
  expect([code, meaningOf('produce', code)]).toEqual([codes.outOfOrderSequence, 'abort']);

  expect((await endTransaction(connection, topic, lost, false)).codes).toEqual([0]);
  const next = await untilNotBusy(() => initProducerId(connection, topic, 60_000, lost));
  expect(next).toMatchObject({ codes: [0], producerId: lost.producerId, epoch: lost.epoch + 1 });
  const partitions = new Map([[topic, [0]]]);
  expect((await untilNotBusy(() => addPartitions(connection, topic, next, partitions))).codes).toEqual([0]);
  queue = new PartitionQueue(topic, 0);
  for (const value of ['a', 'b']) queue.add(record('k', value));
  expect(await send(next)).toBe(0);
  expect((await endTransaction(connection, topic, next, true)).codes).toEqual([0]);
  expect(await committed(2)).toEqual(new Map([['k', ['a', 'b']]]));
});

test('a transaction that is not ended in time is aborted, and its producer is fenced', async () => {
  const connection = await pool.get({ host, port: Number(port) });
  const timeoutMs = 100;
  const owner = await untilNotBusy(() => initProducerId(connection, topic, timeoutMs, null));
  const partitions = new Map([[topic, [0]]]);
  expect((await untilNotBusy(() => addPartitions(connection, topic, owner, partitions))).codes).toEqual([0]);
  // Coordinators look for them every 10 s.
  const ended = async () => (await addPartitions(connection, topic, owner, partitions)).codes;
  await expect.poll(ended, { timeout: waitMs, interval: 500 }).toEqual([codes.producerFenced]);
  expect((await endTransaction(connection, topic, owner, true)).codes).toEqual([codes.producerFenced]);
});

/** The coordinator completes a transaction after it has answered, and hears late of a topic that is new. */
async function untilNotBusy<Answer extends { codes: number[] }>(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    if (!answer.codes.some((code) => ['busy', 'again'].includes(meaningOf('end', code)))) return answer;
  }
}

test.each([
  ['asks for an id as producer 0, and is fenced where another has an open transaction', {}, codes.producerFenced],
  ['takes it when it is told to ask as nobody', { producerId: -1n, producerEpoch: -1 }, 0],
])('the client library %s', async (_, identity, code) => {
  await leaveOpen();
  const library = new LibraryProducer({
    clientId: 'test',
    bootstrapBrokers: bootstrapServers,
    idempotent: true,
    transactionalId: topic,
    retries: 50,
    retryDelay: 5,
    ...identity,
  });
  const found = await library.beginTransaction(identity).then(
    () => 0,
    (error) => findErrorBy<ProtocolError>(error, 'code', ProtocolError.code)?.apiCode,
  );
  await library.close(true);
  expect(found).toBe(code);
});
