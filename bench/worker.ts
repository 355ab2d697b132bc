// What the worker's own code costs: frames to records, records to a real broker; and the literal stack beside it.
import { readFileSync } from 'node:fs';
import { Kafka, logLevel } from 'kafkajs';
import { tradeFrame } from '../test/worker/loopback-exchange.ts';
import { noRecordings, readFrames } from '../test/worker/recordings.ts';
import { binance } from '../worker/exchanges/binance.ts';
import { BatchProducer } from '../worker/producer/batch-producer.ts';
import type { ProducerRecord } from '../worker/producer/producer.ts';
import { Records } from '../worker/records.ts';
import { type Figures, heading, measure, row } from './figures.ts';
import { measureLiteral } from './literal.ts';

const measureMs = 10_000;
const warmUpMs = 3000;

/** One read of a socket brings about so many frames, then the event loop turns. */
const framesPerTurn = 370;

const topics = { topicRaw: `bench-${process.pid}.raw`, topicNormalized: `bench-${process.pid}` };
const frames = noRecordings
  ? Array.from({ length: 10_000 }, (_, index) => Buffer.from(tradeFrame(index)))
  : readFrames('binance/spot-trade-btcusdt-20240808.jsonl.gz');
const schema = readFileSync(new URL('../schemas/normalized-trade.avsc', import.meta.url), 'utf8');
const records = new Records({ exchange: 'binance', ...topics, schema, schemaId: 1 });

/** Frame -> trade -> both records. */
function recordsOf(index: number): ProducerRecord[] {
  const frame = frames[index % frames.length] ?? Buffer.alloc(0);
  const receivedUs = Date.now() * 1000;
  const parsed = binance.parse(frame);
  if (parsed.kind !== 'trades') throw new Error(`not a trade: ${frame}`);
  const normalized = parsed.trades.map((trade) => records.normalized(trade, 'BTC/USDT', receivedUs));
  return [records.raw({ frame, connectionId: 'bench', receivedUs }, 'BTCUSDT'), ...normalized];
}

function measurePipeline(ms: number): Figures {
  const end = measure();
  const endMs = performance.now() + ms;
  let trades = 0;
  while (performance.now() < endMs) {
    for (let turn = 0; turn < framesPerTurn; turn++) trades += recordsOf(trades).length - 1;
  }
  return end(trades);
}

async function measureProducer(bootstrapServers: string[], ms: number): Promise<Figures> {
  const producer = new BatchProducer({
    bootstrapServers,
    clientId: 'bench',
    random: Math.random,
    onDelivered: () => {},
    onRetry: (why) => console.error(why),
  });
  await producer.checkTopics(Object.values(topics));
  const end = measure();
  const endMs = performance.now() + ms;
  let trades = 0;
  while (performance.now() < endMs) {
    let hasRoom = true;
    for (let turn = 0; turn < framesPerTurn; turn++) {
      for (const record of recordsOf(trades++)) hasRoom = producer.append(record);
    }
    await (hasRoom ? new Promise(setImmediate) : producer.room());
  }
  const left = await producer.flush(60_000);
  if (left > 0) throw new Error(`${left} records were not written`);
  const figures = end(trades);
  await producer.close();
  return figures;
}

/** @returns a table in Markdown: speed, CPU and memory of one thread, without and with a real broker */
export async function workerSection(bootstrapServers: string, schemaRegistryUrl: string): Promise<string> {
  const brokers = bootstrapServers.split(',');
  const admin = new Kafka({ clientId: 'bench', brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const names = Object.values(topics);
  await admin.createTopics({ waitForLeaders: true, topics: names.map((topic) => ({ topic, numPartitions: 3 })) });
  measurePipeline(warmUpMs);
  const alone = measurePipeline(measureMs);
  await measureProducer(brokers, warmUpMs);
  const withBroker = await measureProducer(brokers, measureMs);
  // Last: what it does to the heap must not weigh on the others.
  const options = { brokers, schemaRegistryUrl, ...topics, schema, frames };
  await measureLiteral(options, warmUpMs);
  const literal = await measureLiteral(options, measureMs);
  await admin.deleteTopics({ topics: names });
  await admin.disconnect();
  const input = noRecordings ? 'Generated frames' : 'Recorded frames, 9,757 trades of BTCUSDT';
  return `${input}, one run each of ${measureMs / 1000} s on one thread, the broker on the same machine.
Speed by the clock depends on what else runs there, CPU per trade less so.

${heading}
${row('frame -> trade -> records, no broker', alone, literal)}
${row('the same, written to two topics of a real broker', withBroker, literal)}
${row('literal stack: zod, registry.encode, kafkajs send per trade', literal, literal)}
`;
}
