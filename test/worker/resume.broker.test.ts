// Workers that end and start again, with the exchange simulator, a real broker and a real registry: the topics hold
// every trade that was made, once.
import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import { type Admin, Kafka, logLevel, type Message } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { workerStatusSchema } from '../../api/worker-status.ts';
import { readCursors } from '../../worker/cursor.ts';
import { required } from '../services/required.ts';
import { type Simulator, startSimulator } from '../simulator/simulator.ts';
import { startWorker, type WorkerProcess } from './process.ts';

const bootstrapServers = required('K2_TEST_BOOTSTRAP_SERVERS');
const registryUrl = required('K2_TEST_SCHEMA_REGISTRY_URL');

const symbols = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'];
const later = { timeout: 30_000 };
const schema = readFileSync(new URL('../../schemas/normalized-trade.avsc', import.meta.url), 'utf8');
const type = avsc.Type.forSchema(JSON.parse(schema));
const kafka = new Kafka({ clientId: 'resume-test', brokers: bootstrapServers.split(','), logLevel: logLevel.NOTHING });

let admin: Admin;
let simulator: Simulator;
let worker: WorkerProcess;
let raw: string;
let normalized: string;
let runs = 0;

beforeAll(async () => {
  admin = kafka.admin();
  await admin.connect();
});
afterAll(() => admin.disconnect());

const topics = () => [normalized, raw, `${raw}.dlq`];

beforeEach(async () => {
  normalized = `resume-test-${process.pid}-${Date.now()}-${runs++}`;
  raw = `${normalized}.raw`;
  await admin.createTopics({
    waitForLeaders: true,
    topics: topics().map((topic) => ({ topic, numPartitions: 3 })),
  });
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 500, symbols });
});
afterEach(async () => {
  worker.child.kill('SIGKILL');
  await worker.exited;
  await simulator.close();
  await admin.deleteTopics({ topics: topics() });
});

async function start(): Promise<void> {
  worker = startWorker({
    K2_EXCHANGE: 'binance',
    K2_SYMBOLS: symbols.join(),
    K2_KAFKA_BOOTSTRAP_SERVERS: bootstrapServers,
    K2_KAFKA_SCHEMA_REGISTRY_URL: registryUrl,
    K2_DELIVERY: 'AtLeastOnce',
    K2_KAFKA_TOPIC_RAW: raw,
    K2_KAFKA_TOPIC_NORMALIZED: normalized,
    K2_EXCHANGE_WEBSOCKET_URL: simulator.webSocketUrl,
    K2_EXCHANGE_REST_URL: simulator.url,
  });
  await expect.poll(async () => (await status()).tradesTotal, later).toBeGreaterThan(500);
}

const status = async () => workerStatusSchema.parse(JSON.parse((await worker.get('/status')).body));

async function stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  worker.child.kill(signal);
  await worker.exited;
}

async function consume(topic: string): Promise<Message[]> {
  const offsets = await admin.fetchTopicOffsets(topic);
  const count = offsets.reduce((sum, { high }) => sum + Number(high), 0);
  const consumer = kafka.consumer({ groupId: `${topic}-reader-${Date.now()}` });
  const found: Message[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve) => {
    if (count === 0) resolve();
    void consumer.run({
      async eachMessage({ message }) {
        found.push(message);
        if (found.length === count) resolve();
      },
    });
  });
  await consumer.disconnect();
  return found;
}

interface Written {
  symbol: string;
  id: bigint;
  isBackfilled: boolean;
}

const toWritten = ({ value, headers }: Message): Written => {
  const trade = type.fromBuffer((value as Buffer).subarray(5)) as { symbol: string; trade_id: string };
  return { symbol: trade.symbol, id: BigInt(trade.trade_id), isBackfilled: headers?.['k2-source'] !== undefined };
};

/** From the first written of each symbol to the last made, each is written, and none twice. */
async function expectEveryTradeOnce(): Promise<Written[]> {
  // Only a later trade shows that the one before it is missing.
  for (const symbol of symbols) await simulator.burst({ trades: 10, symbol });
  await simulator.pause();
  const isComplete = async () => (await status()).symbols.every(({ continuity }) => continuity?.proven);
  await expect.poll(isComplete, later).toBe(true);
  await stop('SIGTERM');
  const written = (await consume(normalized)).map(toWritten);
  for (const symbol of symbols) {
    const ids = written.filter((trade) => trade.symbol === symbol).map(({ id }) => id);
    ids.sort((a, b) => (a < b ? -1 : 1));
    const made: bigint[] = [];
    for await (const { id } of simulator.made({ symbol })) if (BigInt(id) >= (ids[0] ?? 0n)) made.push(BigInt(id));
    expect(ids).toEqual(made);
  }
  return written;
}

describe('what happened between two workers is repaired, and nothing is written twice', () => {
  test.each(['SIGTERM', 'SIGKILL'] as const)('after %s', async (signal) => {
    await start();
    await stop(signal);
    await simulator.burst({ trades: 4000 });
    await start();
    const written = await expectEveryTradeOnce();
    expect(written.filter(({ isBackfilled }) => isBackfilled).length).toBeGreaterThanOrEqual(4000);
  });

  test('also a gap that the first worker had not repaired when it was killed', async () => {
    await start();
    await simulator.addRestFault({ path: '/api/v3/historicalTrades', status: 503 });
    await simulator.addFrameFault({ kind: 'drop', frames: 50 });
    await expect.poll(async () => (await status()).completeness, later).toBeLessThan(100);
    const before = (await status()).tradesTotal;
    await expect.poll(async () => (await status()).tradesTotal, later).toBeGreaterThan(before + 200);
    await stop('SIGKILL');
    await simulator.reset();
    await start();
    const cursors = await readCursors({ bootstrapServers: [bootstrapServers], topic: normalized, schema, symbols });
    expect([...cursors.keys()].sort()).toEqual([...symbols].sort());
    await expect
      .poll(async () => (await status()).symbols.every(({ continuity }) => continuity?.proven), later)
      .toBe(true);
    await stop('SIGTERM');
    const written = (await consume(normalized)).map(toWritten);
    for (const symbol of symbols) {
      const ids = written.filter((trade) => trade.symbol === symbol).map(({ id }) => id);
      ids.sort((a, b) => (a < b ? -1 : 1));
      expect(ids).toEqual(ids.map((_, index) => (ids[0] ?? 0n) + BigInt(index)));
    }
  });
});

test('a back-filled trade is written as REST gave it, and both its records say so', async () => {
  await start();
  await simulator.addFrameFault({ kind: 'drop', frames: 5 });
  await expect
    .poll(async () => (await status()).symbols.some(({ continuity }) => continuity?.backfilled), later)
    .toBe(true);
  await expectEveryTradeOnce();
  const elements = (await consume(raw)).filter(({ headers }) => headers?.['k2-source'] !== undefined);
  expect(elements.length).toBeGreaterThanOrEqual(5);
  for (const { key, value, headers } of elements) {
    expect(String(headers?.['k2-source'])).toBe('rest-backfill');
    const { id } = JSON.parse(String(value)) as { id: number };
    const url = `${simulator.url}/api/v3/historicalTrades?symbol=${key}&fromId=${id}&limit=1`;
    expect(await (await fetch(url)).text()).toBe(`[${value}]`);
  }
});

test('frames that cannot be read are in the dead letter topic, byte for byte, and the feed goes on', async () => {
  await start();
  await simulator.addFrameFault({ kind: 'garbage', frames: 3 });
  const endOf = async (topic: string) => (await admin.fetchTopicOffsets(topic)).map(({ high }) => Number(high)).sort();
  await expect.poll(() => endOf(`${raw}.dlq`), later).toEqual([0, 0, 3]);
  await expectEveryTradeOnce();
  const letters = await consume(`${raw}.dlq`);
  const unreadable = (await consume(raw)).filter(({ headers }) => headers?.['k2-unreadable'] !== undefined);
  expect(letters.length).toBe(3);
  expect(letters.map(({ value }) => String(value)).sort()).toEqual(unreadable.map(({ value }) => String(value)).sort());
  expect(letters.every(({ headers }) => String(headers?.['k2-unreadable']) === 'not JSON')).toBe(true);
});
