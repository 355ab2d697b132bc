// The worker program: reads the environment, builds the parts, runs the feed, and drains at the end. Composition only.
import '../runtime/shutdown.ts'; // First: see there.

import { unknownVariables } from '../api/worker-config.ts';
import { serveHttp } from '../runtime/http.ts';
import { createLogger, type Logger } from '../runtime/log.ts';
import { shutdownSignal } from '../runtime/shutdown.ts';
import { createAtLeastOnce } from './at-least-once.ts';
import { createWallClock } from './clock.ts';
import { continuityStatus } from './completeness.ts';
import { type Configured, configure } from './configuration.ts';
import type { Delivery, DeliveryOptions } from './delivery.ts';
import { createExactlyOnce } from './exactly-once.ts';
import { Feed } from './feed.ts';
import { watchMemory } from './memory.ts';
import { createMetrics } from './metrics.ts';
import type { ProducerEvents } from './producer/producer.ts';
import { type Received, Records } from './records.ts';
import { messageOf, retry } from './retry.ts';
import { StandbyBuffer } from './standby-buffer.ts';
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

/** @returns the exit code */
async function run(configured: Configured, log: Logger): Promise<number> {
  const { config, exchange } = configured;
  const signal = shutdownSignal();
  const parts = createParts(configured, log, signal);
  const { status, metrics, delivery } = parts;
  const notReady = () => status.notReady();
  const json = { '/status': () => status.snapshot() };
  const http = await serveHttp(config.httpPort, { notReady, metrics: metrics.registry, json });
  log.info({ port: http.port, exchange: config.exchange, symbols: config.symbols.length }, 'started');
  const line = setInterval(() => log.info(status.line(), 'trades'), lineMs);
  try {
    await runFeed(parts, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  clearInterval(line);
  const unwritten = await delivery.drain(drainMsMax);
  log.info(status.line(), 'trades');
  if (unwritten > 0) {
    const next = exchange.continuity.kind === 'none' ? 'are lost' : 'the next worker asks the exchange for them';
    log.error({ unwritten }, `records were not written within ${drainMsMax / 1000} s: ${next}`);
  }
  await delivery.close();
  await http.close();
  return unwritten > 0 ? exitCodes.failed : exitCodes.done;
}

interface Parts extends DeliveryOptions {
  kept: StandbyBuffer<Received>;
  delivery: Delivery;
}

function createParts(configured: Configured, log: Logger, signal: AbortSignal): Parts {
  const { config, exchange } = configured;
  const symbols = new Symbols(exchange);
  const entryOf = (name: string) => symbols.entries().find(({ listing }) => listing.symbol === name);
  const continuityOf = (name: string) => continuityStatus(entryOf(name), exchange.continuity);
  const status = new Status({ ...config, continuityOf, monotonicMs });
  const kept = new StandbyBuffer<Received>();
  const metrics = createMetrics({
    status,
    symbols,
    buffered: () => delivery.producer.buffered(),
    kept: () => kept.size(),
    ownerSilenceMs: () => delivery.ownerSilenceMs(),
  });
  const report = (part: Part, problem: string | null) => {
    if (status.report(part, problem) && problem !== null) log.warn(problem);
  };
  const events: ProducerEvents = {
    onDelivered(records) {
      report('producer', null);
      status.delivered(records);
      metrics.countDelivered(records, config, Date.now());
    },
    onRetry(why) {
      status.countError();
      metrics.retries.inc();
      report('producer', why);
    },
  };
  const prepare: DeliveryOptions['prepare'] = async (part, operation) => {
    const onFailure = (why: string) => report(part, why);
    const result = await retry(operation, { limits: prepareLimits, random, onFailure }, signal);
    report(part, null);
    return result;
  };
  const clientId = `k2-worker-${config.exchange}`;
  const shared = { symbols, status, metrics, events, log, report, prepare, clientId, monotonicMs, random };
  const options = { ...configured, ...shared };
  const create = config.delivery === 'ExactlyOnce' ? createExactlyOnce : createAtLeastOnce;
  const delivery = create(options);
  return { ...options, kept, delivery };
}

/** Waits for broker and registry, then reads, and writes when the delivery says so, until the signal is aborted. */
async function runFeed(parts: Parts, signal: AbortSignal): Promise<void> {
  const { config, exchange, schemas, delivery, prepare, log } = parts;
  const { topicRaw, topicNormalized, topicDeadLetter } = config;
  const { producer } = delivery;
  const registry = { url: config.schemaRegistryUrl, access: parts.access.registry };
  const register = async () => {
    await registerSchema(registry, `${topicRaw}-value`, schemas.raw);
    return registerSchema(registry, `${topicNormalized}-value`, schemas.normalized);
  };
  const [schemaId] = await Promise.all([
    prepare('subjects', register),
    prepare('topics', () => producer.checkTopics([topicRaw, topicNormalized])),
  ]);

  let hasDeadLetters = false;
  const onFailure = (why: string) => log.warn(`${why}; until then only the raw topic has them`);
  const checkDeadLetters = () => producer.checkTopics([topicDeadLetter]);
  const findDeadLetters = retry(checkDeadLetters, { limits: deadLetterLimits, random, onFailure }, signal).then(
    () => {
      hasDeadLetters = true;
    },
    () => {},
  );
  const feed = new Feed({
    ...parts,
    producer,
    exchangeId: config.exchange,
    names: config.symbols,
    webSocketUrl: config.webSocketUrl ?? exchange.webSocketUrl,
    restUrl: config.restUrl ?? exchange.restUrl,
    records: new Records({ ...config, schema: schemas.normalized, schemaId }),
    hasDeadLetters: () => hasDeadLetters,
    nowUs: createWallClock(Date.now, monotonicMs),
  });
  process.on('SIGHUP', () => feed.reconnect());
  const stopWatching = watchMemory({
    usedBytes: () => process.memoryUsage.rss(),
    limitBytes: process.constrainedMemory(),
    buffered: () => producer.buffered(),
    onShort: (why) => feed.shed(why),
  });
  await Promise.all([feed.run(signal), delivery.run(feed, signal)]);
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
