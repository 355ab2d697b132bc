// The end of a normalized topic on a real broker, where transactions of trades were committed, aborted and left open.
import { readFileSync } from 'node:fs';
import { type Admin, Kafka, logLevel, type Producer, type Transaction } from 'kafkajs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readCursors, readRecentTrades } from '../../worker/cursor.ts';
import { Records } from '../../worker/records.ts';
import { required } from '../services/required.ts';

const bootstrapServers = required('K2_TEST_BOOTSTRAP_SERVERS');
const kafka = new Kafka({ clientId: 'cursor-test', brokers: bootstrapServers.split(','), logLevel: logLevel.NOTHING });
const schema = readFileSync(new URL('../../schemas/normalized-trade.avsc', import.meta.url), 'utf8');
const topic = `cursor-test-${process.pid}-${Date.now()}`;
const records = new Records({
  exchange: 'binance',
  topicRaw: 'raw',
  topicNormalized: topic,
  schema,
  schemaId: 1,
});

let admin: Admin;
let producers: Producer[] = [];
beforeAll(async () => {
  admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1 }] });
  producers = ['a', 'b'].map((name) =>
    kafka.producer({ transactionalId: `${topic}/${name}`, idempotent: true, maxInFlightRequests: 1 }),
  );
  for (const producer of producers) await producer.connect();
});
afterAll(async () => {
  for (const producer of producers) await producer.disconnect();
  await admin.deleteTopics({ topics: [topic] });
  await admin.disconnect();
});

async function begin(producer: Producer | undefined, symbol: string, ...ids: number[]): Promise<Transaction> {
  if (producer === undefined) throw new Error('there is no such producer');
  const trade = {
    symbol,
    price: '1.5',
    quantity: '2',
    side: 'BUY' as const,
    sequenceNumber: null,
    isBuyerMaker: null,
    buyerOrderId: null,
    sellerOrderId: null,
  };
  const messages = ids.map((id) => {
    const { value } = records.normalized({ ...trade, tradeId: String(id), exchangeTimeMs: 1000 + id }, 'A/B', 1e15);
    return { key: symbol, value: Buffer.from(value) };
  });
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages });
  return transaction;
}

test('a cursor is what was committed, whatever one producer aborted and another has left open', async () => {
  const [a, b] = producers;
  await (await begin(a, 'A', 1, 2)).commit();
  await (await begin(a, 'A', 3)).abort();
  await (await begin(a, 'A', 3, 4)).abort();
  const open = await begin(b, 'B', 1);
  await (await begin(a, 'A', 3, 4, 6)).commit();
  await (await begin(a, 'A', 7)).abort();
  // The next transaction begins once the markers before it are in the log.
  await (await begin(a, 'C', 1)).abort();
  const read = () => readCursors({ bootstrapServers: bootstrapServers.split(','), topic, schema, symbols: ['A', 'B'] });
  const gaps = [{ firstId: 5n, lastId: 5n, afterTimeMs: 1004 }];
  const cursor = { lastId: 6n, timeMs: 1006, gaps, lost: [], resetTimeMs: null };
  expect(await read()).toEqual(new Map([['A', cursor]]));
  await open.commit();
  await expect.poll(async () => [...(await read()).keys()], { timeout: 30_000 }).toEqual(['A', 'B']);
});

test('recent trades are read as far back as they may be written again, and no further', async () => {
  const [a] = producers;
  await (await begin(a, 'OLD', 1)).commit();
  const ids = Array.from({ length: 6000 }, (_, index) => 20_000 + index);
  await (await begin(a, 'NEW', ...ids)).commit();
  const options = { bootstrapServers: bootstrapServers.split(','), topic, schema, symbols: ['OLD', 'NEW'] };
  const symbolsSince = async (sinceMs: number) => [...(await readRecentTrades(options, sinceMs)).keys()];
  expect(await symbolsSince(Number.POSITIVE_INFINITY)).toEqual(['NEW']);
  expect(await symbolsSince(40_000)).toEqual(['NEW']);
  expect(await symbolsSince(25_000)).toEqual(['OLD', 'NEW']);
  const newest = (await readRecentTrades(options, 0)).get('NEW');
  expect(newest?.ids.at(-1)).toBe('25999');
});
