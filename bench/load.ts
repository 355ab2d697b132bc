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

/** Ten seconds and more at the speed to be seen, after what a process that has just started takes to compile itself. */
const flatOutTrades = 500_000;
const warmUpTrades = 250_000;
const burstTrades = 5000;
/** Long enough for thirty samples beyond the 99th percentile at the lower rate. */
const latencyMs = 20_000;
/** Compiling and the first connections are over by then. */
const latencyWarmUpMs = 5_000;
const rates = [168, 10_000];
/** All that the simulator trades: a rate is of all of them together. */
const allSymbols = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'];
const deliveries = ['ExactlyOnce', 'AtLeastOnce'] as const;
type Delivery = (typeof deliveries)[number];
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
async function withFeed<T>(
  load: Load,
  { name, delivery, symbols = ['BTCUSDT'] }: { name: string; delivery: Delivery; symbols?: string[] },
  body: (topic: string) => Promise<T>,
): Promise<T> {
  const { topic, topics } = ownTopics(name);
  await load.simulator.reset();
  await load.simulator.pause();
  await apply(load.bed, manifestOf(name, { symbols, topics, delivery }));
  await waitReady(load.bed, name);
  try {
    return await body(topic);
  } finally {
    await deleteFeed(load.bed, name);
  }
}

/** As fast as the pod reads. */
function flatOut(load: Load, delivery: Delivery): Promise<string[]> {
  const name = `bench-flat-${delivery.toLowerCase()}`;
  return withFeed(load, { name, delivery }, async (topic) => {
    const all = warmUpTrades + flatOutTrades;
    const lines = Array.from({ length: all }, (_, id) => JSON.stringify({ ts: null, frame: tradeFrame(id) }));
    await load.simulator.loadRecording(gzipSync(lines.join('\n')));
    const startMs = performance.now();
    await load.simulator.replay({ speed: 'flat' });
    const warmUpMs = await arrived(load.admin, topic, warmUpTrades, startMs);
    const allMs = await arrived(load.admin, topic, all, startMs);
    const perSecond = (trades: number, elapsedMs: number) => Math.round(trades / (elapsedMs / 1000) / 100) * 100;
    const memory = await load.afterFlatOut(`${name}-0`);
    return [
      `| ${delivery}: flat out, first ${warmUpTrades} trades | ${perSecond(warmUpTrades, warmUpMs)} trades/s |`,
      `| ${delivery}: the next ${flatOutTrades} trades | ${perSecond(flatOutTrades, allMs - warmUpMs)} trades/s |`,
      `| ${delivery}: working set after it | ${memory} |`,
    ];
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
  return withFeed(load, { name: 'bench-burst', delivery: 'ExactlyOnce' }, async (topic) => {
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

/**
 * From the time in the frame, the exchange's, to the broker's when it appended, and to when a consumer of committed
 * records has it: one machine, one clock.
 */
function latency(load: Load, tradesPerSecond: number, delivery: Delivery): Promise<string[]> {
  const name = `bench-rate-${tradesPerSecond}-${delivery.toLowerCase()}`;
  return withFeed(load, { name, delivery, symbols: allSymbols }, async (topic) => {
    const raw = `${topic}.raw`;
    await stampByBroker(load.admin, [raw]);
    const consumer = kafkaOf(load.bed).consumer({ groupId: raw, maxWaitTimeInMs: 100 });
    await consumer.connect();
    await consumer.subscribe({ topic: raw, fromBeginning: true });
    const appended: number[] = [];
    const visible: number[] = [];
    await consumer.run({
      eachBatch: async ({ batch }) => {
        const nowMs = Date.now();
        for (const { timestamp, value } of batch.messages) {
          const frame = JSON.parse(String(value));
          if (frame?.data?.E === undefined) continue;
          appended.push(Number(timestamp) - frame.data.E);
          visible.push(nowMs - frame.data.E);
        }
      },
    });
    await load.simulator.setRate({ tradesPerSecond });
    await load.simulator.resume();
    await sleep(latencyWarmUpMs);
    for (const delays of [appended, visible]) delays.length = 0;
    await sleep(latencyMs);
    await load.simulator.pause();
    await consumer.disconnect();
    const row = (what: string, delays: number[]) => {
      delays.sort((a, b) => a - b);
      const [p50, p99] = [0.5, 0.99].map((share) => delays[Math.floor(delays.length * share)]);
      return `| ${delivery} at ${tradesPerSecond} trades/s: exchange to ${what}, p50 and p99 | ${p50} and ${p99} ms |`;
    };
    return [row('broker', appended), row('reader of committed records', visible)];
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
  const rows: string[] = [];
  for (const delivery of deliveries) rows.push(...(await flatOut(load, delivery)));
  rows.push(...(await burst(load)));
  for (const rate of rates) for (const delivery of deliveries) rows.push(...(await latency(load, rate, delivery)));
  await admin.disconnect();
  return rows;
}
