// The worker as a process, against the exchange simulator, a real broker and a real registry.
import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import { type Admin, Kafka, logLevel, type Message, Partitioners } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { workerStatusSchema } from '../../api/worker-status.ts';
import { multiplyDecimals } from '../../worker/decimal.ts';
import { required } from '../services/required.ts';
import { type Simulator, startSimulator } from '../simulator/simulator.ts';
import { startWorker, type WorkerProcess } from './process.ts';
import { noRecordings, readFrames, readRecording } from './recordings.ts';

const bootstrapServers = required('K2_TEST_BOOTSTRAP_SERVERS');
const registryUrl = required('K2_TEST_SCHEMA_REGISTRY_URL');

const partitions = 3;
const schema = readFileSync(new URL('../../schemas/normalized-trade.avsc', import.meta.url), 'utf8');
const type = avsc.Type.forSchema(JSON.parse(schema));
const kafka = new Kafka({ clientId: 'worker-test', brokers: bootstrapServers.split(','), logLevel: logLevel.NOTHING });

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

beforeEach(async () => {
  normalized = `worker-test-${process.pid}-${Date.now()}-${runs++}`;
  raw = `${normalized}.raw`;
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 500 });
});
afterEach(async () => {
  worker.child.kill('SIGKILL');
  await worker.exited;
  await simulator.close();
  const existing = new Set(await admin.listTopics());
  const topics = [raw, normalized, `${raw}.dlq`].filter((topic) => existing.has(topic));
  if (topics.length > 0) await admin.deleteTopics({ topics });
});

const createTopics = () =>
  admin.createTopics({
    waitForLeaders: true,
    topics: [raw, normalized].map((topic) => ({ topic, numPartitions: partitions })),
  });

function start(symbols = 'BTCUSDT,ETHUSDT,BNBUSDT'): void {
  worker = startWorker({
    K2_EXCHANGE: 'binance',
    K2_SYMBOLS: symbols,
    K2_KAFKA_BOOTSTRAP_SERVERS: bootstrapServers,
    K2_KAFKA_SCHEMA_REGISTRY_URL: registryUrl,
    K2_DELIVERY: 'AtLeastOnce',
    K2_KAFKA_TOPIC_RAW: raw,
    K2_KAFKA_TOPIC_NORMALIZED: normalized,
    K2_EXCHANGE_WEBSOCKET_URL: simulator.webSocketUrl,
    K2_EXCHANGE_REST_URL: simulator.url,
  });
}

const status = async () => workerStatusSchema.parse(JSON.parse((await worker.get('/status')).body));

async function endOffset(topic: string): Promise<number> {
  const offsets = await admin.fetchTopicOffsets(topic);
  return offsets.reduce((sum, { high }) => sum + Number(high), 0);
}

/** Everything in a topic, by partition in order. */
async function consume(topic: string): Promise<{ partition: number; message: Message }[]> {
  const count = await endOffset(topic);
  const consumer = kafka.consumer({ groupId: `${topic}-reader` });
  const found: { partition: number; message: Message }[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await new Promise<void>((resolve) => {
    if (count === 0) resolve();
    const eachMessage = async ({ partition, message }: { partition: number; message: Message }) => {
      found.push({ partition, message });
      if (found.length === count) resolve();
    };
    void consumer.run({ eachMessage });
  });
  await consumer.disconnect();
  return found;
}

/** The trade frames that the simulator sent, in order. */
async function sentTrades(): Promise<{ symbol: string; frame: string }[]> {
  const trades: { symbol: string; frame: string }[] = [];
  for await (const { symbol, frame } of simulator.sent()) if (symbol !== null) trades.push({ symbol, frame });
  return trades;
}

const texts = (messages: { message: Message }[], symbol: string) =>
  messages.filter(({ message }) => String(message.key) === symbol).map(({ message }) => String(message.value));

describe('from the exchange to the topics', () => {
  test('every frame arrives byte for byte, and every trade field for field, keyed as Java would', async () => {
    await createTopics();
    start();
    await expect.poll(async () => (await status()).tradesTotal, { timeout: 20_000 }).toBeGreaterThan(1500);
    await simulator.pause();
    const sent = await sentTrades();
    await expect.poll(async () => (await status()).tradesTotal).toBe(sent.length);
    worker.child.kill('SIGTERM');
    expect(await worker.exited).toBe(0);

    const [rawMessages, normalizedMessages] = await Promise.all([consume(raw), consume(normalized)]);
    expect(rawMessages.length).toBe(sent.length);
    expect(normalizedMessages.length).toBe(sent.length);
    for (const symbol of ['BTCUSDT', 'ETHUSDT', 'BNBUSDT']) {
      const frames = sent.filter((entry) => entry.symbol === symbol).map(({ frame }) => frame);
      expect(frames.length).toBeGreaterThan(0);
      expect(texts(rawMessages, symbol)).toEqual(frames);
      const decoded = normalizedMessages
        .filter(({ message }) => String(message.key) === symbol)
        .map(({ message }) => type.fromBuffer((message.value as Buffer).subarray(5)));
      expect(decoded).toEqual(frames.map((frame) => expectedTrade(frame)));
    }
    expectPartitions([...rawMessages, ...normalizedMessages]);
    const ids = new Set(normalizedMessages.map(({ message }) => (message.value as Buffer).readUInt32BE(1)));
    expect(ids).toEqual(new Set([await registeredId(`${normalized}-value`)]));
  });

  test.skipIf(noRecordings)(
    `a recording of 9,757 trades arrives whole, as recorded ${noRecordings ?? ''}`,
    async () => {
      await createTopics();
      await simulator.setRate({ tradesPerSecond: 0 });
      start('BTCUSDT');
      await expect.poll(async () => (await status()).streaming, { timeout: 20_000 }).toBe(true);
      const recording = 'binance/spot-trade-btcusdt-20240808.jsonl.gz';
      await simulator.loadRecording(readRecording(recording));
      await simulator.replay({ speed: 'flat' });
      await expect.poll(async () => (await status()).tradesTotal, { timeout: 20_000 }).toBe(9757);
      worker.child.kill('SIGTERM');
      expect(await worker.exited).toBe(0);
      const frames = readFrames(recording).map(String);
      expect(texts(await consume(raw), 'BTCUSDT')).toEqual(frames);
      const decoded = (await consume(normalized)).map(({ message }) =>
        type.fromBuffer((message.value as Buffer).subarray(5)),
      );
      expect(decoded).toEqual(frames.map(expectedTrade));
    },
  );

  test('nothing that was read is lost when the worker is told to stop under load', async () => {
    await createTopics();
    start();
    await expect.poll(async () => (await status()).tradesTotal, { timeout: 20_000 }).toBeGreaterThan(100);
    await simulator.setRate({ tradesPerSecond: 20_000 });
    await expect.poll(async () => (await status()).tradesTotal, { timeout: 20_000 }).toBeGreaterThan(10_000);
    worker.child.kill('SIGTERM');
    expect(await worker.exited).toBe(0);
    const last = worker.log.findLast(({ msg }) => msg === 'trades');
    expect(last?.raw).toBe(last?.normalized);
    expect([await endOffset(raw), await endOffset(normalized)]).toEqual([last?.raw, last?.normalized]);
  });

  test('a cut connection is replaced, and what came before and after it is there once', async () => {
    await createTopics();
    start('BTCUSDT');
    await expect.poll(async () => (await status()).tradesTotal, { timeout: 20_000 }).toBeGreaterThan(100);
    await simulator.cut();
    const before = (await status()).tradesTotal;
    await expect.poll(async () => (await status()).tradesTotal, { timeout: 20_000 }).toBeGreaterThan(before + 100);
    worker.child.kill('SIGTERM');
    expect(await worker.exited).toBe(0);
    const live = (await consume(raw)).filter(({ message }) => message.headers?.['k2-source'] === undefined);
    const found = texts(live, 'BTCUSDT');
    expect(new Set(found).size).toBe(found.length);
    const sent = new Set((await sentTrades()).map(({ frame }) => frame));
    expect(found.filter((frame) => !sent.has(frame))).toEqual([]);
  });
});

describe('what is missing is told', () => {
  test('a topic, until it is there', async () => {
    start();
    const remedy = `the controller makes it, or: rpk topic create ${raw}`;
    const words = `topic ${raw} does not exist on broker ${bootstrapServers}; ${remedy}`;
    await worker.logged(({ msg }) => msg === words);
    expect(await worker.get('/readyz')).toEqual({ status: 503, body: `${words}\n` });
    expect((await status()).message).toBe(words);
    await createTopics();
    await expect.poll(async () => (await worker.get('/readyz')).status, { timeout: 20_000 }).toBe(200);
    expect(await admin.listTopics()).toEqual(expect.arrayContaining([raw, normalized]));
  });

  test('a schema that the registry refuses ends the worker', async () => {
    await createTopics();
    const other = { type: 'record', name: 'Other', fields: [{ name: 'x', type: 'int' }] };
    await register(`${normalized}-value`, JSON.stringify(other));
    start();
    expect(await worker.exited).toBe(1);
    expect(worker.log.at(-1)?.msg).toContain(`refuses the schema of ${normalized}-value (status 409)`);
  });

  test('a symbol, while the others stream', async () => {
    await createTopics();
    start('BTCUSDT,BTCUSDX');
    await expect.poll(async () => (await status()).tradesTotal, { timeout: 20_000 }).toBeGreaterThan(0);
    const { streaming, symbols } = await status();
    expect(streaming).toBe(true);
    expect(symbols).toContainEqual(
      expect.objectContaining({ symbol: 'BTCUSDX', state: 'refused', message: 'BTCUSDX is not listed by binance' }),
    );
  });
});

function expectedTrade(frame: string): object {
  const { data } = JSON.parse(frame) as { data: Record<string, string | number | boolean> };
  const symbol = String(data.s);
  return {
    schema_version: '1.0.0',
    exchange: 'binance',
    symbol,
    canonical_symbol: symbol.replace(/USDT$/, '/USDT'),
    trade_id: String(data.t),
    price: data.p,
    quantity: data.q,
    quote_volume: multiplyDecimals(String(data.p), String(data.q)),
    side: data.m ? 'SELL' : 'BUY',
    timestamp: expect.closeTo(Date.now(), -5),
    exchange_timestamp: data.T,
    metadata: { sequence_number: null, is_buyer_maker: data.m, buyer_order_id: null, seller_order_id: null },
  };
}

function expectPartitions(messages: { partition: number; message: Message }[]): void {
  const partitioner = Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => {
    return { partitionErrorCode: 0, partitionId, leader: 1, replicas: [1], isr: [1] };
  });
  const expected = messages.map(({ message }) => partitioner({ topic: raw, partitionMetadata, message }));
  expect(messages.map(({ partition }) => partition)).toEqual(expected);
}

async function registeredId(subject: string): Promise<number> {
  const response = await fetch(`${registryUrl}/subjects/${subject}/versions/latest`);
  return ((await response.json()) as { id: number }).id;
}

async function register(subject: string, text: string): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const put = { method: 'PUT', headers, body: JSON.stringify({ compatibility: 'BACKWARD' }) };
  const post = { method: 'POST', headers, body: JSON.stringify({ schema: text }) };
  expect((await fetch(`${registryUrl}/subjects/${subject}/versions`, post)).ok).toBe(true);
  expect((await fetch(`${registryUrl}/config/${subject}`, put)).ok).toBe(true);
}
