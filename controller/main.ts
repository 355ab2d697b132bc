// The controller program: reads the environment, builds the parts, watches, works, and ends in order. Composition only.
import '../runtime/shutdown.ts'; // First: see there.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { plural } from '../api/exchange-feed.ts';
import { serveHttp } from '../runtime/http.ts';
import { createLogger, type Logger } from '../runtime/log.ts';
import { shutdownSignal } from '../runtime/shutdown.ts';
import { exchanges } from '../worker/exchanges/index.ts';
import { type ControllerConfig, parseControllerConfig, variables } from './config.ts';
import type { Schemas } from './desired.ts';
import { wordsOf } from './errors.ts';
import { createWorkerReader } from './feeds.ts';
import { applyStatus, setFinalizer } from './kube/apply.ts';
import { systemClock } from './kube/clock.ts';
import { loadKubeConfig } from './kube/connection.ts';
import { createKubeMetrics, type KubeMetrics } from './kube/metrics.ts';
import { createQueue } from './kube/queue.ts';
import { createTransport, type Transport } from './kube/transport.ts';
import { runWorkers } from './kube/workers.ts';
import { createControllerMetrics } from './metrics.ts';
import { type FeedWriter, finalizer, type Parts, reconcile } from './reconcile.ts';
import { createSubjectsTarget } from './targets/subjects.ts';
import { createTopicsTarget } from './targets/topics.ts';
import { createWorkersTarget } from './targets/workers.ts';
import { cacheOf, createWatches, feeds } from './watch.ts';

const fieldManager = 'k2-feed-operator';
// A reconcile mostly waits for the broker, the registry or a worker: with 8, a slow one does not hold up the rest.
const concurrency = 8;

const exitCodes = { done: 0, failed: 1, badConfiguration: 2 } as const;

/** @throws Error with one line, as parseControllerConfig() does */
function readSchemas({ schemaPath }: ControllerConfig): Schemas {
  const read = (name: string) => readFileSync(join(schemaPath, name), 'utf8');
  try {
    const present = readdirSync(schemaPath);
    const known = Object.keys(exchanges).filter((exchange) => present.includes(`${exchange}-trade.avsc`));
    const raw = Object.fromEntries(known.map((exchange) => [exchange, read(`${exchange}-trade.avsc`)]));
    return { normalized: read('normalized-trade.avsc'), raw };
  } catch (error) {
    const { name, example } = variables.schemaPath;
    throw new Error(`${name}: '${schemaPath}' has no schemas (${wordsOf(error)}); for example ${name}=${example}`);
  }
}

function createWriter(transport: Transport): FeedWriter {
  return {
    setFinalizer: (feed, wanted) => setFinalizer(transport, feeds, feed, finalizer, wanted, { fieldManager }),
    applyStatus: ({ apiVersion, kind, metadata: { name, namespace } }, status) =>
      applyStatus(transport, feeds, { apiVersion, kind, metadata: { name, namespace }, status }, { fieldManager }),
  };
}

/** @returns the exit code */
async function run(config: ControllerConfig, schemas: Schemas, log: Logger): Promise<number> {
  const signal = shutdownSignal();
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const kubeMetrics: KubeMetrics = createKubeMetrics(registry);
  const transport = createTransport(loadKubeConfig(), { userAgent: 'k2-feed-operator', metrics: kubeMetrics });
  const queue = createQueue({ name: plural, clock: systemClock, random: Math.random, metrics: kubeMetrics });
  const watching = { transport, namespace: config.watchNamespace, onKey: queue.add, log, metrics: kubeMetrics };
  const watches = createWatches(watching);
  const topics = createTopicsTarget(log);
  const workerReader = createWorkerReader();
  const cache = cacheOf(watches);
  const parts: Parts = {
    config,
    schemas,
    cache,
    writer: createWriter(transport),
    targets: {
      topics,
      subjects: createSubjectsTarget(),
      workers: createWorkersTarget({ transport, cached: cache.workload, fieldManager }),
    },
    workers: workerReader,
    memory: new Map(),
    metrics: createControllerMetrics(registry, watches.feeds.list),
    log,
    nowMs: systemClock.nowMs,
    wallClockMs: Date.now,
    random: Math.random,
  };
  let isSynced = false;
  const notReady = () => (isSynced ? null : 'feeds and what was made for them are not listed yet');
  const server = await serveHttp(config.httpPort, { notReady, metrics: registry });
  const watchesEnded = watches.run(signal);
  log.info({ port: server.port, namespace: config.watchNamespace ?? 'all' }, 'started');
  const timedReconcile = (key: string) => {
    const end = parts.metrics.reconcileSeconds.startTimer();
    return reconcile(key, parts).finally(end);
  };
  try {
    // Working on an incomplete cache would apply Deployments that exist already.
    await watches.synced;
    isSynced = true;
    log.info({ feeds: watches.feeds.list().length }, 'watching');
    const working = { controller: 'exchangefeed', queue, concurrency, log, metrics: kubeMetrics };
    await runWorkers({ ...working, reconcile: timedReconcile }, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  await watchesEnded;
  await Promise.all([topics.close(), workerReader.close(), server.close()]);
  await transport.close();
  log.info('ended');
  return exitCodes.done;
}

let config: ControllerConfig;
let schemas: Schemas;
try {
  config = parseControllerConfig(process.env);
  schemas = readSchemas(config);
} catch (error) {
  process.stderr.write(`${wordsOf(error)}\n`);
  process.exit(exitCodes.badConfiguration);
}
const log = createLogger(config.logLevel, 'controller');
try {
  process.exit(await run(config, schemas, log));
} catch (error) {
  log.error({ error }, wordsOf(error));
  process.exit(exitCodes.failed);
}
