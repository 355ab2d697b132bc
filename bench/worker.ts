// Measures the worker and writes docs/benchmarks.md. Broker figures need K2_TEST_BOOTSTRAP_SERVERS and
// K2_TEST_SCHEMA_REGISTRY_URL; the program is measured as bundled for the image: `node scripts/bundle.ts worker` first.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { startSimulator } from '../test/simulator/simulator.ts';
import { tradeFrame } from '../test/worker/loopback-exchange.ts';
import { noRecordings, readFrames } from '../test/worker/recordings.ts';
import { binance } from '../worker/exchanges/binance.ts';
import { PlatformaticProducer } from '../worker/producer/platformatic.ts';
import type { ProducerRecord } from '../worker/producer/producer.ts';
import { Records } from '../worker/records.ts';

const root = new URL('..', import.meta.url);
const nodeFlags = ['--max-old-space-size=256', '--max-semi-space-size=4'];
const measureMs = 10_000;
const warmUpMs = 3000;
const liveTradesPerSecond = 168;

const topics = { topicRaw: `bench-${process.pid}.raw`, topicNormalized: `bench-${process.pid}` };
const frames = noRecordings
  ? Array.from({ length: 10_000 }, (_, index) => Buffer.from(tradeFrame(index)))
  : readFrames('binance/spot-trade-btcusdt-20240808.jsonl.gz');
const schema = readFileSync(new URL('schemas/normalized-trade.avsc', root), 'utf8');
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
  const producer = new PlatformaticProducer({
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

/** The bundled worker at the rate of a usual feed: start to subscribed, memory, CPU. */
async function measureProgram(bootstrapServers: string, registryUrl: string) {
  const simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: liveTradesPerSecond });
  const startMs = performance.now();
  const child = spawn(process.execPath, [...nodeFlags, 'build/worker.mjs'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env.PATH,
      K2_EXCHANGE: 'binance',
      K2_SYMBOLS: 'BTCUSDT,ETHUSDT,BNBUSDT',
      K2_KAFKA_BOOTSTRAP_SERVERS: bootstrapServers,
      K2_KAFKA_SCHEMA_REGISTRY_URL: registryUrl,
      K2_KAFKA_TOPIC_RAW: topics.topicRaw,
      K2_KAFKA_TOPIC_NORMALIZED: topics.topicNormalized,
      K2_EXCHANGE_WEBSOCKET_URL: simulator.webSocketUrl,
      K2_EXCHANGE_REST_URL: simulator.url,
      K2_HTTP_PORT: '18997',
    },
  });
  while (!(await simulator.state()).connections.some(({ subscriptions }) => subscriptions.length > 0)) await sleep(5);
  const startUpMs = performance.now() - startMs;
  await sleep(20_000);
  const before = await metric('process_cpu_seconds_total');
  await sleep(30_000);
  const cpuShare = ((await metric('process_cpu_seconds_total')) - before) / 30;
  const rssMb = (await metric('process_resident_memory_bytes')) / 1e6;
  await simulator.pause();
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
  await simulator.close();
  return { startUpMs, cpuShare, rssMb };
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch('http://127.0.0.1:18997/metrics')).text();
  return Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1]);
}

const row = (name: string, { tradesPerSecond, cpuUsPerTrade }: Figures) =>
  `| ${name} | ${Math.round(tradesPerSecond / 100) * 100} | ${cpuUsPerTrade.toFixed(1)} |`;

const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
// Of the minute before: others' share of the machine.
const loadBefore = loadavg()[0]?.toFixed(1);
measurePipeline(warmUpMs);
const rows = [row('frame -> trade -> records, no broker', measurePipeline(measureMs))];
const program: string[] = [];
const { K2_TEST_BOOTSTRAP_SERVERS: servers, K2_TEST_SCHEMA_REGISTRY_URL: registryUrl } = process.env;
if (servers) {
  const admin = new Kafka({ clientId: 'bench', brokers: servers.split(','), logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const names = Object.values(topics);
  await admin.createTopics({ waitForLeaders: true, topics: names.map((topic) => ({ topic, numPartitions: 3 })) });
  await measureProducer(servers.split(','), warmUpMs);
  rows.push(
    row('the same, written to two topics of a real broker', await measureProducer(servers.split(','), measureMs)),
  );
  if (registryUrl && existsSync(new URL('build/worker.mjs', root))) {
    const { startUpMs, cpuShare, rssMb } = await measureProgram(servers, registryUrl);
    program.push(
      `| from start to subscribed | ${Math.round(startUpMs)} ms |`,
      `| CPU at ${liveTradesPerSecond} trades/s, share of one core | ${(cpuShare * 100).toFixed(1)} % |`,
      `| resident memory at that rate | ${Math.round(rssMb)} MB |`,
    );
  }
  await admin.deleteTopics({ topics: names });
  await admin.disconnect();
}

const machine = `${cpus().length} x ${cpus()[0]?.model.trim()}, Linux ${release()}`;
const input = noRecordings ? 'Generated frames' : 'Recorded frames, 9,757 trades of BTCUSDT';
const page = `# Benchmarks

Written by \`node bench/worker.ts\`: commit ${commit}, Node ${process.version}, ${machine}.
${input}; one run each, on one thread, the broker on the same machine.
Load before: ${loadBefore}; whatever else the machine did makes these figures worse.

| one core, flat out | trades/s | CPU us/trade |
|---|---|---|
${rows.join('\n')}
${program.length > 0 ? `\n| the worker as bundled for the image | |\n|---|---|\n${program.join('\n')}\n` : ''}`;
writeFileSync(new URL('docs/benchmarks.md', root), page);
console.log(page);
