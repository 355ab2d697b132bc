// The worker program: reads the environment, builds the parts, runs the feed, and drains at the end. Composition only.
import '../runtime/shutdown.ts'; // First: see there.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseWorkerConfig, unknownVariables, variables, type WorkerConfig } from '../api/worker-config.ts';
import { serveHttp } from '../runtime/http.ts';
import { createLogger, type Logger } from '../runtime/log.ts';
import { shutdownSignal } from '../runtime/shutdown.ts';
import { createWallClock } from './clock.ts';
import { continuityStatus } from './completeness.ts';
import type { Cursor } from './continuity.ts';
import { readCursors } from './cursor.ts';
import type { Exchange } from './exchanges/exchange.ts';
import { exchanges } from './exchanges/index.ts';
import { Feed } from './feed.ts';
import { watchMemory } from './memory.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { BatchProducer } from './producer/batch-producer.ts';
import type { ProducerRecord } from './producer/producer.ts';
import { Records } from './records.ts';
import { messageOf, retry } from './retry.ts';
import { type Part, Status } from './status.ts';
import { registerSchema } from './subjects.ts';
import { Symbols } from './symbols.ts';

/** Below Kubernetes' usual 30 s between SIGTERM and SIGKILL. */
const drainMsMax = 20_000;

const lineMs = 60_000;

const prepareLimits = { delayMsBase: 250, delayMsMax: 10_000 };

/** Nothing waits for it, so it is asked for seldom. */
const deadLetterLimits = { delayMsBase: 10_000, delayMsMax: 600_000 };

const monotonicMs = () => performance.now();
const { random } = Math;

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
async function run(configured: Configured, log: Logger): Promise<number> {
  const { config, exchange } = configured;
  const signal = shutdownSignal();
  const symbols = new Symbols(exchange);
  const entryOf = (name: string) => symbols.entries().find(({ listing }) => listing.symbol === name);
  const continuityOf = (name: string) => continuityStatus(entryOf(name), exchange.continuity);
  const status = new Status({ ...config, continuityOf, monotonicMs });

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
  const metrics = createMetrics({ status, symbols, buffered: () => producer.buffered() });
  const topics = { raw: config.topicRaw, normalized: config.topicNormalized, 'dead-letter': config.topicDeadLetter };
  function countDelivered(records: readonly ProducerRecord[]): void {
    for (const [label, name] of Object.entries(topics)) {
      metrics.records.inc({ topic: label }, records.filter(({ topic }) => topic === name).length);
    }
    const oldest = records[0];
    if (oldest) metrics.delivery.observe((Date.now() - oldest.timeMs) / 1000);
  }

  const notReady = () => status.notReady();
  const json = { '/status': () => status.snapshot() };
  const http = await serveHttp(config.httpPort, { notReady, metrics: metrics.registry, json });
  log.info({ port: http.port, exchange: config.exchange, symbols: config.symbols.length }, 'started');
  const line = setInterval(() => log.info(status.line(), 'trades'), lineMs);
  try {
    await runFeed({ ...configured, symbols, status, producer, metrics, log, report }, signal);
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

interface Parts extends Configured {
  symbols: Symbols;
  status: Status;
  producer: BatchProducer;
  metrics: Metrics;
  log: Logger;
  report: (part: Part, problem: string | null) => void;
}

/** Waits for broker and registry, finds where to resume, and reads until the signal is aborted. */
async function runFeed(parts: Parts, signal: AbortSignal): Promise<void> {
  const { config, exchange, schemas, producer, log, report } = parts;
  const { topicRaw, topicNormalized, topicDeadLetter, schemaRegistryUrl: registryUrl, bootstrapServers } = config;
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
  const resume = async () => {
    await prepare('topics', () => producer.checkTopics([topicRaw, topicNormalized]));
    if (exchange.continuity.kind === 'none') return new Map<string, Cursor>();
    const tail = { bootstrapServers, topic: topicNormalized, schema: schemas.normalized, symbols: config.symbols };
    return prepare('cursors', () => readCursors(tail));
  };
  const [schemaId, cursors] = await Promise.all([prepare('subjects', register), resume()]);
  log.info({ symbols: cursors.size }, 'the topic holds earlier trades of so many symbols, and reading resumes there');

  let hasDeadLetters = false;
  const findDeadLetters = retry(
    () => producer.checkTopics([topicDeadLetter]),
    {
      limits: deadLetterLimits,
      random,
      onFailure: (why) => log.warn(`${why}; until then only the raw topic has them`),
    },
    signal,
  ).then(
    () => {
      hasDeadLetters = true;
    },
    () => {},
  );
  const feed = new Feed({
    ...parts,
    exchangeId: config.exchange,
    names: config.symbols,
    webSocketUrl: config.webSocketUrl ?? exchange.webSocketUrl,
    restUrl: config.restUrl ?? exchange.restUrl,
    cursors,
    records: new Records({ ...config, schema: schemas.normalized, schemaId }),
    hasDeadLetters: () => hasDeadLetters,
    nowUs: createWallClock(Date.now, monotonicMs),
    monotonicMs,
    random,
  });
  const reconnect = () => feed.reconnect();
  process.on('SIGHUP', reconnect);
  const stopWatching = watchMemory({
    usedBytes: () => process.memoryUsage.rss(),
    limitBytes: process.constrainedMemory(),
    buffered: () => producer.buffered(),
    onShort: (why) => feed.shed(why),
  });
  await feed.run(signal);
  stopWatching();
  await findDeadLetters;
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
