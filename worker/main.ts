// The worker program: reads the environment, builds the parts, runs the feed, and drains at the end. Composition only.
import '../runtime/shutdown.ts'; // First: see there.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseWorkerConfig, unknownVariables, variables, type WorkerConfig } from '../api/worker-config.ts';
import { serveHttp } from '../runtime/http.ts';
import { createLogger, type Logger } from '../runtime/log.ts';
import { shutdownSignal } from '../runtime/shutdown.ts';
import { createWallClock } from './clock.ts';
import type { Exchange } from './exchanges/exchange.ts';
import { exchanges } from './exchanges/index.ts';
import { Feed } from './feed.ts';
import { createMetrics } from './metrics.ts';
import { BatchProducer } from './producer/batch-producer.ts';
import type { ProducerRecord } from './producer/producer.ts';
import { Records } from './records.ts';
import { messageOf, retry } from './retry.ts';
import { type Part, Status } from './status.ts';
import { registerSchema } from './subjects.ts';

/** Below Kubernetes' usual 30 s between SIGTERM and SIGKILL. */
const drainMsMax = 20_000;

const lineMs = 60_000;

const prepareLimits = { delayMsBase: 250, delayMsMax: 10_000 };

const exitCodes = { done: 0, failed: 1, badConfiguration: 2 } as const;

interface Configured {
  config: WorkerConfig;
  exchange: Exchange;
  schemas: { raw: string; normalized: string };
}

/** @throws Error with one line, as parseWorkerConfig() does */
function configure(environment: NodeJS.ProcessEnv): Configured {
  const config = parseWorkerConfig(environment);
  const exchange = exchanges[config.exchange];
  if (exchange === undefined) {
    throw badValue(variables.exchange, `'${config.exchange}' is not one of ${Object.keys(exchanges).join(', ')}`);
  }
  const { symbolsPerConnection } = exchange.limits;
  if (config.symbols.length > symbolsPerConnection) {
    throw badValue(variables.symbols, `has more than the ${symbolsPerConnection} symbols that one worker can read`);
  }
  const read = (file: string) => {
    try {
      return readFileSync(join(config.schemaPath, file), 'utf8');
    } catch (error) {
      throw badValue(variables.schemaPath, `'${config.schemaPath}' has no readable ${file} (${messageOf(error)})`);
    }
  };
  const schemas = { raw: read(`${config.exchange}-trade.avsc`), normalized: read('normalized-trade.avsc') };
  return { config, exchange, schemas };
}

function badValue({ name, example }: { name: string; example: string }, problem: string): Error {
  return new Error(`${name}: ${problem}; for example ${name}=${example}`);
}

/** @returns the exit code */
async function run({ config, exchange, schemas }: Configured, log: Logger): Promise<number> {
  const signal = shutdownSignal();
  const monotonicMs = () => performance.now();
  const { random } = Math;
  const { topicRaw, topicNormalized, schemaRegistryUrl: registryUrl } = config;
  const status = new Status({ ...config, monotonicMs });

  function report(part: Part, problem: string | null): void {
    if (status.report(part, problem) && problem !== null) log.warn(problem);
  }
  const producer = new BatchProducer({
    bootstrapServers: config.bootstrapServers,
    clientId: `k2-worker-${config.exchange}`,
    random,
    onDelivered(records) {
      report('producer', null);
      status.delivered(records);
      countDelivered(records);
    },
    onRetry(why) {
      status.countError();
      metrics.retries.inc();
      report('producer', why);
    },
  });
  const metrics = createMetrics({ status, buffered: () => producer.buffered() });
  function countDelivered(records: readonly ProducerRecord[]): void {
    const raw = records.filter(({ topic }) => topic === topicRaw).length;
    metrics.records.inc({ topic: 'raw' }, raw);
    metrics.records.inc({ topic: 'normalized' }, records.length - raw);
    const oldest = records[0];
    if (oldest) metrics.delivery.observe((Date.now() - oldest.timeMs) / 1000);
  }

  const notReady = () => status.notReady();
  const json = { '/status': () => status.snapshot() };
  const http = await serveHttp(config.httpPort, { notReady, metrics: metrics.registry, json });
  log.info({ port: http.port, exchange: config.exchange, symbols: config.symbols.length }, 'started');
  const line = setInterval(() => log.info(status.line(), 'trades'), lineMs);

  const prepare = async <T>(part: Part, operation: () => Promise<T>): Promise<T> => {
    const onFailure = (why: string) => report(part, why);
    const result = await retry(operation, { limits: prepareLimits, random, onFailure }, signal);
    report(part, null);
    return result;
  };
  const register = async () => {
    await registerSchema(registryUrl, `${topicRaw}-value`, schemas.raw);
    return registerSchema(registryUrl, `${topicNormalized}-value`, schemas.normalized);
  };
  try {
    const [schemaId] = await Promise.all([
      prepare('subjects', register),
      prepare('topics', () => producer.checkTopics([topicRaw, topicNormalized])),
    ]);
    const records = new Records({ ...config, schema: schemas.normalized, schemaId });
    const webSocketUrl = config.webSocketUrl ?? exchange.webSocketUrl;
    const restUrl = config.restUrl ?? exchange.restUrl;
    const nowUs = createWallClock(Date.now, monotonicMs);
    const feed = { ...config, exchangeId: config.exchange, exchange, webSocketUrl, restUrl };
    await new Feed({ ...feed, records, producer, status, metrics, log, nowUs, monotonicMs, random }).run(signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  clearInterval(line);
  const unflushed = await producer.flush(drainMsMax);
  log.info(status.line(), 'trades');
  if (unflushed > 0) log.error({ unflushed }, `records were not written within ${drainMsMax / 1000} s and are lost`);
  await producer.close();
  await http.close();
  return unflushed > 0 ? exitCodes.failed : exitCodes.done;
}

let configured: Configured;
try {
  configured = configure(process.env);
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exit(exitCodes.badConfiguration);
}
const log = createLogger(configured.config.logLevel, 'worker');
const unknown = unknownVariables(process.env);
if (unknown.length > 0) log.warn({ variables: unknown }, 'variables that the worker does not know; a typo?');
try {
  process.exit(await run(configured, log));
} catch (error) {
  log.error({ error }, messageOf(error));
  process.exit(exitCodes.failed);
}
