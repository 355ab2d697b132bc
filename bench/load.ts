// How the worker's pod carries load, in its default limits of half a core and 512 MiB: from the simulated exchange's
// frames to what stands in the topics.
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import kafkajs, { type Admin } from 'kafkajs';
import { type Bed, consume } from '../test/e2e/bed.ts';
import { apply, deleteFeed, manifestOf, ownTopics, waitReady } from '../test/e2e/feeds.ts';
import { compareWithMade } from '../test/e2e/made-trades.ts';
import { eventually } from '../test/e2e/process.ts';
import type { SimulatorControl } from '../test/simulator/control.ts';
import { tradeFrame } from '../test/worker/loopback-exchange.ts';
import { headers as receivedHeaders } from '../worker/records.ts';

// A CommonJS package whose names Node cannot all find by itself.
const { ConfigResourceTypes, Kafka, logLevel } = kafkajs;

/** Ten seconds and more at the speed to be seen. */
const flatOutTrades = 500_000;
const burstTrades = 5000;
/** Long enough for a hundred samples beyond the 99th percentile at the lower rate. */
const latencyMs = 60_000;
const rates = [168, 10_000];
const doneMsMax = 120_000;

interface Load {
  bed: Bed;
  simulator: SimulatorControl;
  admin: Admin;
  /** Told once the pod has carried the most. */
  afterFlatOut: (pod: string) => Promise<string>;
}

const kafkaOf = (bed: Bed) =>
  new Kafka({ clientId: 'bench-load', brokers: bed.bootstrapServers.split(','), logLevel: logLevel.NOTHING });

async function recordsIn(admin: Admin, topic: string): Promise<number> {
  return (await admin.fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0);
}

/**
 * Polls until the topic has so many records, a few in a thousand of them marks of commits.
 * @returns milliseconds since startMs
 */
async function arrived(admin: Admin, topic: string, count: number, startMs: number): Promise<number> {
  await eventually(`${count} records in ${topic}`, doneMsMax, async () => {
    const found = await recordsIn(admin, topic);
    if (found < count) throw new Error(`${found} so far`);
  });
  return performance.now() - startMs;
}

/** A feed of its own, removed when the measurement is over. */
async function withFeed<T>(load: Load, name: string, body: (topic: string) => Promise<T>): Promise<T> {
  const { topic, topics } = ownTopics(name);
  await load.simulator.reset();
  await load.simulator.pause();
  await apply(load.bed, manifestOf(name, { symbols: ['BTCUSDT'], topics }));
  await waitReady(load.bed, name);
  try {
    return await body(topic);
  } finally {
    await deleteFeed(load.bed, name);
  }
}

/** As fast as the pod reads. */
function flatOut(load: Load): Promise<string[]> {
  return withFeed(load, 'bench-flat', async (topic) => {
    const lines = Array.from({ length: flatOutTrades }, (_, id) => JSON.stringify({ ts: null, frame: tradeFrame(id) }));
    await load.simulator.loadRecording(gzipSync(lines.join('\n')));
    const startMs = performance.now();
    await load.simulator.replay({ speed: 'flat' });
    const elapsedMs = await arrived(load.admin, topic, flatOutTrades, startMs);
    const perSecond = Math.round(flatOutTrades / (elapsedMs / 1000) / 100) * 100;
    const memory = await load.afterFlatOut('bench-flat-0');
    return [`| flat out, ${flatOutTrades} trades | ${perSecond} trades/s |`, `| working set after it | ${memory} |`];
  });
}

/** The broker's clock says when a record came, instead of the worker's when it read the frame. */
async function stampByBroker(admin: Admin, topics: string[]): Promise<void> {
  const configEntries = [{ name: 'message.timestamp.type', value: 'LogAppendTime' }];
  const resources = topics.map((name) => ({ type: ConfigResourceTypes.TOPIC, name, configEntries }));
  await admin.alterConfigs({ validateOnly: false, resources });
}

/** As many trades as fast as the network takes them, all of one symbol: one partition, one batch after the other. */
function burst(load: Load): Promise<string[]> {
  return withFeed(load, 'bench-burst', async (topic) => {
    const { bed, simulator } = load;
    const raw = `${topic}.raw`;
    await stampByBroker(load.admin, [topic, raw]);
    const { trades, fromUs, untilUs } = await simulator.burst({ trades: burstTrades, symbol: 'BTCUSDT' });
    const question = { exchange: 'binance', symbols: ['BTCUSDT'], topic };
    const compared = await eventually('each trade of the burst once', doneMsMax, () =>
      compareWithMade(bed, simulator, question),
    );
    if (compared !== trades) throw new Error(`${compared} trades of ${trades} were compared`);
    const records = [...(await consume(bed, raw)), ...(await consume(bed, topic))];
    const receivedUs = Math.max(...records.map(({ headers }) => Number(headers[receivedHeaders.receivedUs] ?? 0)));
    const writtenMs = Math.max(...records.map(({ timestampMs }) => timestampMs));
    const sent = untilUs === null ? 'in more than a second' : `within ${Math.round((untilUs - fromUs) / 1000)} ms`;
    const writtenAfterMs = Math.round(writtenMs - fromUs / 1000);
    return [
      `| burst of ${trades} trades of one symbol, taken from the exchange by the network | ${sent} |`,
      `| of the same, until the worker had read the last frame | ${Math.round((receivedUs - fromUs) / 1000)} ms |`,
      `| of the same, until the last record was written: each once, none lost | ${writtenAfterMs} ms |`,
    ];
  });
}

/** From the time in the frame, the exchange's, to the broker's when it appended: one machine, one clock. */
function latency(load: Load, tradesPerSecond: number): Promise<string[]> {
  return withFeed(load, `bench-rate-${tradesPerSecond}`, async (topic) => {
    const raw = `${topic}.raw`;
    await stampByBroker(load.admin, [raw]);
    const consumer = kafkaOf(load.bed).consumer({ groupId: raw });
    await consumer.connect();
    await consumer.subscribe({ topic: raw, fromBeginning: true });
    const delays: number[] = [];
    await consumer.run({
      eachBatch: async ({ batch }) => {
        for (const { timestamp, value } of batch.messages) {
          const frame = JSON.parse(String(value));
          if (frame?.data?.E !== undefined) delays.push(Number(timestamp) - frame.data.E);
        }
      },
    });
    await load.simulator.setRate({ tradesPerSecond });
    await load.simulator.resume();
    await sleep(latencyMs);
    await load.simulator.pause();
    await consumer.disconnect();
    delays.sort((a, b) => a - b);
    const at = (share: number) => delays[Math.floor(delays.length * share)];
    return [`| exchange to broker at ${tradesPerSecond} trades/s, p50 and p99 | ${at(0.5)} and ${at(0.99)} ms |`];
  });
}

/** @returns rows of a table in Markdown */
export async function loadRows(
  bed: Bed,
  simulator: SimulatorControl,
  afterFlatOut: (pod: string) => Promise<string>,
): Promise<string[]> {
  const admin = kafkaOf(bed).admin();
  await admin.connect();
  const load: Load = { bed, simulator, admin, afterFlatOut };
  const rows = [...(await flatOut(load)), ...(await burst(load))];
  for (const rate of rates) rows.push(...(await latency(load, rate)));
  await admin.disconnect();
  return rows;
}
