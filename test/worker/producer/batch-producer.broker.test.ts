import { ConnectionPool } from '@platformatic/kafka';
import { type Admin, Kafka, type KafkaMessage, logLevel } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { BatchProducer } from '../../../worker/producer/batch-producer.ts';
import { partitionHash } from '../../../worker/producer/partition.ts';
import { codes, PartitionQueue } from '../../../worker/producer/partition-queue.ts';
import { produce, requestProducerId } from '../../../worker/producer/produce.ts';
import type { ProducerRecord } from '../../../worker/producer/producer.ts';
import { required } from '../../services/required.ts';

const bootstrapServers = required('K2_TEST_BOOTSTRAP_SERVERS').split(',');

const kafka = new Kafka({ clientId: 'test', brokers: bootstrapServers, logLevel: logLevel.NOTHING });
const partitions = 3;

let admin: Admin;
let topic: string;
let runs = 0;

beforeAll(async () => {
  admin = kafka.admin();
  await admin.connect();
});
afterAll(() => admin.disconnect());
beforeEach(async () => {
  topic = `producer-test-${process.pid}-${Date.now()}-${runs++}`;
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: partitions }] });
});
afterEach(() => admin.deleteTopics({ topics: [topic] }));

const record = (key: string, value: string): ProducerRecord => {
  const headers = [['k2-connection', `connection of ${value}`]] as const;
  return { topic, key, value: Buffer.from(value), headers, timeMs: 1_723_161_255_342, exchangeTimeMs: null };
};

/** So many messages of the topic, by partition in order. */
async function consume(count: number): Promise<{ partition: number; message: KafkaMessage }[]> {
  const consumer = kafka.consumer({ groupId: topic });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const found: { partition: number; message: KafkaMessage }[] = [];
  await new Promise<void>((resolve) => {
    const eachMessage = async (read: { partition: number; message: KafkaMessage }) => {
      if (found.push(read) >= count) resolve();
    };
    void consumer.run({ eachMessage });
  });
  await consumer.disconnect();
  return found;
}

async function recordsIn(topicName: string): Promise<number> {
  return (await admin.fetchTopicOffsets(topicName)).reduce((sum, { high }) => sum + Number(high), 0);
}

test('another client reads what was written: bytes, key, headers, time, order and partition', async () => {
  const producer = new BatchProducer({
    bootstrapServers,
    clientId: 'test',
    random: Math.random,
    onDelivered: () => {},
    onRetry: () => {},
  });
  const count = 20_000;
  for (let index = 0; index < count; index++) {
    producer.append(record(`key ${index % 13}`, `${index}`));
    if (index % 100 === 0) await new Promise(setImmediate);
  }
  expect(await producer.flush(30_000)).toBe(0);
  await producer.close();

  expect(await recordsIn(topic)).toBe(count);
  const messages = await consume(count);
  const lastOfKey = new Map<string, number>();
  for (const { partition, message } of messages) {
    const key = String(message.key);
    const value = String(message.value);
    const last = lastOfKey.get(key) ?? Number(key.slice(4)) - 13;
    expect(Number(value)).toBe(last + 13);
    lastOfKey.set(key, last + 13);
    expect(partition).toBe(partitionHash(Buffer.from(key)) % partitions);
    expect(String(message.headers?.['k2-connection'])).toBe(`connection of ${value}`);
    expect(message.timestamp).toBe('1723161255342');
  }
});

test('a batch sent again is stored once, and a greater epoch goes on where the order was lost', async () => {
  const pool = new ConnectionPool('test');
  const [host = '', port] = (bootstrapServers[0] ?? '').split(':');
  const connection = await pool.get({ host, port: Number(port) });
  const writer = { producerId: await requestProducerId(connection), epoch: 0, isTransactional: false };
  const queue = new PartitionQueue(topic, 0);
  const send = async (bytes: Buffer) =>
    (await produce(connection, null, [{ topic, partition: 0, bytes }])).codeOf(queue);

  queue.add(record('k', 'a'));
  expect(await send(queue.send(writer, 1000))).toBe(codes.none);
  expect(await send(queue.send(writer, 1000))).toBe(codes.none);
  expect(await recordsIn(topic)).toBe(1);
  queue.settle(codes.none);

  // A batch that the broker never saw counts as delivered: from here on the queue is ahead of the log.
  queue.add(record('k', 'never sent'));
  queue.send(writer, 1000);
  queue.settle(codes.none);
  queue.add(record('k', 'b'));
  const early = Buffer.from(queue.send(writer, 1000));
  expect(await send(early)).toBe(codes.outOfOrderSequence);
  queue.settle(codes.outOfOrderSequence);
  expect(await send(queue.send(writer, 1000))).toBe(codes.none);
  expect(await send(early)).toBe(codes.invalidProducerEpoch);
  await pool.close();
  expect((await consume(2)).map(({ message }) => String(message.value))).toEqual(['a', 'b']);
});
