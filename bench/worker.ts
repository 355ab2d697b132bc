// What the worker's own code costs: frames to records, and records to a real broker.
import { readFileSync } from 'node:fs';
import { Kafka, logLevel } from 'kafkajs';
import { tradeFrame } from '../test/worker/loopback-exchange.ts';
import { noRecordings, readFrames } from '../test/worker/recordings.ts';
import { binance } from '../worker/exchanges/binance.ts';
import { BatchProducer } from '../worker/producer/batch-producer.ts';
import type { ProducerRecord } from '../worker/producer/producer.ts';
import { Records } from '../worker/records.ts';

const measureMs = 10_000;
const warmUpMs = 3000;

const topics = { topicRaw: `bench-${process.pid}.raw`, topicNormalized: `bench-${process.pid}` };
const frames = noRecordings
  ? Array.from({ length: 10_000 }, (_, index) => Buffer.from(tradeFrame(index)))
  : readFrames('binance/spot-trade-btcusdt-20240808.jsonl.gz');
const schema = readFileSync(new URL('../schemas/normalized-trade.avsc', import.meta.url), 'utf8');
const records = new Records({ exchange: 'binance', ...topics, schema, schemaId: 1 });

interface Figures {
  tradesPerSecond: number;
  cpuUsPerTrade: number;
}

/** Frame -> trade -> both records, over and over. */
function* pipeline(): Generator<ProducerRecord> {
  for (let at = 0; ; at = (at + 1) % frames.length) {
    const frame = frames[at] ?? Buffer.alloc(0);
    const receivedUs = Date.now() * 1000;
    const parsed = binance.parse(frame);
    if (parsed.kind !== 'trades') throw new Error(`not a trade: ${frame}`);
    yield records.raw({ frame, connectionId: 'bench', receivedUs }, 'BTCUSDT');
    for (const trade of parsed.trades) yield records.normalized(trade, 'BTC/USDT', receivedUs);
  }
}

function figures(trades: number, startMs: number, startCpu: NodeJS.CpuUsage): Figures {
  const { user, system } = process.cpuUsage(startCpu);
  return { tradesPerSecond: trades / ((performance.now() - startMs) / 1000), cpuUsPerTrade: (user + system) / trades };
}

function measurePipeline(ms: number): Figures {
  const source = pipeline();
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  let made = 0;
  while (performance.now() - startMs < ms) for (let turn = 0; turn < 1000; turn++) made += source.next().value ? 1 : 0;
  return figures(made / 2, startMs, startCpu);
}

async function measureProducer(bootstrapServers: string[], ms: number): Promise<Figures> {
  let delivered = 0;
  const producer = new BatchProducer({
    bootstrapServers,
    clientId: 'bench',
    random: Math.random,
    onDelivered: (batch) => {
      delivered += batch.length;
    },
    onRetry: (why) => console.error(why),
  });
  const source = pipeline();
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  while (performance.now() - startMs < ms) {
    const { value } = source.next();
    if (!producer.append(value)) await producer.room();
  }
  await producer.flush(60_000);
  const result = figures(delivered / 2, startMs, startCpu);
  await producer.close();
  return result;
}

const row = (name: string, { tradesPerSecond, cpuUsPerTrade }: Figures) =>
  `| ${name} | ${Math.round(tradesPerSecond / 100) * 100} | ${cpuUsPerTrade.toFixed(1)} |`;

/** @returns a table in Markdown: trades per second and CPU of one core, without and with a real broker */
export async function workerSection(bootstrapServers: string): Promise<string> {
  const brokers = bootstrapServers.split(',');
  measurePipeline(warmUpMs);
  const alone = measurePipeline(measureMs);
  const admin = new Kafka({ clientId: 'bench', brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const names = Object.values(topics);
  await admin.createTopics({ waitForLeaders: true, topics: names.map((topic) => ({ topic, numPartitions: 3 })) });
  await measureProducer(brokers, warmUpMs);
  const withBroker = await measureProducer(brokers, measureMs);
  await admin.deleteTopics({ topics: names });
  await admin.disconnect();
  const input = noRecordings ? 'Generated frames' : 'Recorded frames, 9,757 trades of BTCUSDT';
  return `${input}, one run each of ${measureMs / 1000} s on one thread, the broker on the same machine.

| one core, flat out | trades/s | CPU µs/trade |
|---|---|---|
${row('frame -> trade -> records, no broker', alone)}
${row('the same, written to two topics of a real broker', withBroker)}
`;
}
