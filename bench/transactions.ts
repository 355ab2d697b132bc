// What transactions cost and how long a reader of committed records waits, beside the producer without them; each on a
// real broker, a raw and a normalized record for each trade.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Kafka, logLevel } from 'kafkajs';
import { BatchProducer } from '../worker/producer/batch-producer.ts';
import type { Producer, ProducerEvents, ProducerRecord } from '../worker/producer/producer.ts';
import { TransactionalProducer } from '../worker/producer/transactional-producer.ts';
import { nowMs } from './visible.ts';

const warmUpMs = 3000;
const measureMs = 10_000;
const flushMsMax = 60_000;
const tradesPerTurn = 370;
const symbols = [
  'BTCUSDT',
  'ETHUSDT',
  'SOLUSDT',
  'XRPUSDT',
  'DOGEUSDT',
  'ADAUSDT',
  'BNBUSDT',
  'LTCUSDT',
  'TRXUSDT',
  'DOTUSDT',
];
/** As of a usual trade. */
const rawBytes = 170;
const normalizedBytes = 106;

const prefix = `bench-transactions-${process.pid}`;
const topics = { raw: `${prefix}.raw`, normalized: prefix, cursors: `${prefix}.cursors` };

type Kind = 'transactions' | 'idempotent';
type Running = Producer & { checkTopics(topics: string[]): Promise<void> };

function recordOf(topic: string, bytes: number, trade: number): ProducerRecord {
  const value = Buffer.alloc(bytes);
  value.writeDoubleBE(nowMs());
  const key = symbols[trade % symbols.length] ?? '';
  return { topic, key, value, headers: [['k2-connection', 'bench']], timeMs: Date.now(), exchangeTimeMs: null };
}

async function start(kind: Kind, brokers: string[], onDelivered: ProducerEvents['onDelivered']): Promise<Running> {
  const options = {
    bootstrapServers: brokers,
    clientId: 'bench',
    random: Math.random,
    onDelivered,
    onRetry: (why: string) => console.error(why),
  };
  if (kind === 'idempotent') return new BatchProducer(options);
  const producer = new TransactionalProducer({
    ...options,
    transactionalId: prefix,
    monotonicMs: () => performance.now(),
    silenceMsMax: 5000,
    // A cursor for each of a few symbols that changed, as the worker attaches.
    attach: () => symbols.slice(0, 4).map((symbol) => ({ ...recordOf(topics.cursors, 80, 0), key: symbol })),
    onFenced: (why) => console.error(why),
  });
  await producer.claim();
  return producer;
}

interface Run {
  tradesPerSecond: number;
  cpuShare: number;
  cpuUsPerTrade: number;
  deliveriesPerSecond: number;
}

/** @param rate trades per second; null: as many as go */
async function run(kind: Kind, brokers: string[], rate: number | null, ms: number): Promise<Run> {
  let deliveries = 0;
  const producer = await start(kind, brokers, () => {
    deliveries++;
  });
  await producer.checkTopics(Object.values(topics));
  const startMs = performance.now();
  const startCpu = process.threadCpuUsage();
  let trades = 0;
  for (let elapsedMs = 0; elapsedMs < ms; elapsedMs = performance.now() - startMs) {
    const due = rate === null ? trades + tradesPerTurn : Math.floor((elapsedMs / 1000) * rate);
    let hasRoom = true;
    for (; trades < due; trades++) {
      producer.append(recordOf(topics.raw, rawBytes, trades));
      hasRoom = producer.append(recordOf(topics.normalized, normalizedBytes, trades));
    }
    if (!hasRoom) await producer.room();
    else await new Promise(rate === null ? setImmediate : (resolve) => setTimeout(resolve, 1));
  }
  if ((await producer.flush(flushMsMax)) > 0) throw new Error('records were not written');
  const { user, system } = process.threadCpuUsage(startCpu);
  const seconds = (performance.now() - startMs) / 1000;
  await producer.close();
  return {
    tradesPerSecond: trades / seconds,
    cpuShare: (user + system) / 1e6 / seconds,
    cpuUsPerTrade: (user + system) / trades,
    deliveriesPerSecond: deliveries / seconds,
  };
}

const percentile = (sorted: Float64Array, share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;

async function measureAtRate(kind: Kind, brokers: string[], reader: Worker, rate: number): Promise<string> {
  await run(kind, brokers, rate, warmUpMs);
  await agesOf(reader);
  const { cpuShare, deliveriesPerSecond } = await run(kind, brokers, rate, measureMs);
  // What was written last is read within this time.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const ages = await agesOf(reader);
  const [p50, p99] = [percentile(ages, 0.5), percentile(ages, 0.99)].map((age) => age.toFixed(1));
  const cells = [kind, `${rate}/s`, deliveriesPerSecond.toFixed(0), `${(cpuShare * 100).toFixed(1)} %`, p50, p99];
  return `| ${[...cells, ages.at(-1)?.toFixed(0), ages.length].join(' | ')} |`;
}

async function agesOf(reader: Worker): Promise<Float64Array> {
  reader.postMessage('ages');
  const [ages] = await once(reader, 'message');
  return ages.sort();
}

/** @returns tables in Markdown */
export async function transactionsSection(bootstrapServers: string): Promise<string> {
  const brokers = bootstrapServers.split(',');
  const admin = new Kafka({ clientId: 'bench', brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const wanted = [topics.raw, topics.normalized].map((topic) => ({ topic, numPartitions: 3 }));
  await admin.createTopics({ waitForLeaders: true, topics: [...wanted, { topic: topics.cursors, numPartitions: 1 }] });
  const reader = new Worker(new URL('visible.ts', import.meta.url), {
    workerData: { brokers, topic: topics.normalized },
  });
  await once(reader, 'message');
  const rates: string[] = [];
  for (const rate of [168, 10_000]) {
    for (const kind of ['idempotent', 'transactions'] as const) {
      rates.push(await measureAtRate(kind, brokers, reader, rate));
    }
  }
  reader.postMessage('end');
  await once(reader, 'exit');
  const ceilings: string[] = [];
  for (let round = 0; round < 3; round++) {
    for (const kind of ['idempotent', 'transactions'] as const) {
      await run(kind, brokers, null, round === 0 ? warmUpMs : 0);
      const { tradesPerSecond, cpuUsPerTrade, deliveriesPerSecond } = await run(kind, brokers, null, measureMs);
      const cells = [kind, Math.round(tradesPerSecond), cpuUsPerTrade.toFixed(1), deliveriesPerSecond.toFixed(0)];
      ceilings.push(`| ${cells.join(' | ')} |`);
    }
  }
  await admin.deleteTopics({ topics: Object.values(topics) });
  await admin.disconnect();
  return `| producer | trades | deliveries/s | CPU of its thread | visible after, ms p50 | p99 | most | records |
|---|---|---|---|---|---|---|---|
${rates.join('\n')}

| flat out | trades/s | CPU µs/trade | deliveries/s |
|---|---|---|---|
${ceilings.join('\n')}
`;
}
