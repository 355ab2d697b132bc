// The controller program: reads the environment, builds the parts, watches, works, and ends in order. Composition only.
import '../runtime/shutdown.ts'; // First: see there.

import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { group, plural } from '../api/exchange-feed.ts';
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
import { loadKubeConfig, namespaceOf } from './kube/connection.ts';
import { createEventWriter } from './kube/events.ts';
import { createElection, fenced, LeaseLostError, unopposed } from './kube/lease.ts';
import { createKubeMetrics } from './kube/metrics.ts';
import { createQueue } from './kube/queue.ts';
import { createTransport, type Transport } from './kube/transport.ts';
import { runWorkers } from './kube/workers.ts';
import { createLedger } from './ledger.ts';
import { createControllerMetrics } from './metrics.ts';
import { type FeedWriter, finalizer, type Parts, reconcile } from './reconcile.ts';
import { createSecretReader } from './secrets.ts';
import { createSubjectsTarget } from './targets/subjects.ts';
import { createTopicsTarget } from './targets/topics.ts';
import { createWorkersTarget } from './targets/workers.ts';
import { cacheOf, createWatches, feeds } from './watch.ts';

const fieldManager = 'k2-feed-operator';
// A reconcile mostly waits for the broker, the registry or a worker: with 8, a slow one does not hold up the rest.
const concurrency = 8;

// Which process: a pod that is restarted keeps its name.
const identity = `${hostname()}_${randomUUID()}`;

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

/** All that speaks to the API server, and none of it knows of brokers. */
function createMachinery(config: ControllerConfig, registry: Registry, log: Logger) {
  const metrics = createKubeMetrics(registry);
  const kubeConfig = loadKubeConfig();
  const transport = createTransport(kubeConfig, { userAgent: 'k2-feed-operator', metrics });
  const shared = { transport, clock: systemClock, wallClockMs: Date.now, random: Math.random, log, metrics };
  const queue = createQueue({ name: plural, ...shared });
  const { watchNamespace, bootstrapServers } = config;
  const watching = { namespace: watchNamespace, bootstrapServers, secretDefaults: config, onKey: queue.add };
  const watches = createWatches({ ...shared, ...watching });
  const events = createEventWriter({ ...shared, controller: `${group}/operator`, instance: identity });
  const namespace = config.leaseNamespace ?? namespaceOf(kubeConfig);
  const lease = { namespace, name: config.leaseName, identity };
  const election = config.leaderElection ? createElection({ ...shared, ...lease }) : unopposed;
  return { metrics, transport, namespace, queue, watches, events, election };
}

/** @returns the exit code */
async function run(config: ControllerConfig, schemas: Schemas, log: Logger): Promise<number> {
  const signal = shutdownSignal();
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const { metrics, transport, namespace, queue, watches, events, election } = createMachinery(config, registry, log);
  const leading = fenced(transport, election.check);
  const { nowMs } = systemClock;
  const ledger = createLedger({ transport: leading, namespace, fieldManager });
  const topics = createTopicsTarget({ ledger, log, nowMs });
  const workerReader = createWorkerReader();
  const cache = cacheOf(watches);
  const parts: Parts = {
    config,
    schemas,
    cache,
    writer: createWriter(leading),
    targets: {
      topics,
      subjects: createSubjectsTarget({ ledger, nowMs }),
      workers: createWorkersTarget({ transport: leading, cached: cache.workload, fieldManager }),
    },
    workers: workerReader,
    secrets: createSecretReader({ transport, defaults: config, versionOf: watches.secretVersion }),
    memory: new Map(),
    metrics: createControllerMetrics(registry, watches.feeds.list),
    events,
    log,
    nowMs,
    wallClockMs: Date.now,
    random: Math.random,
  };
  let isSynced = false;
  const notReady = () => (isSynced ? null : 'feeds and what was made for them are not listed yet');
  const server = await serveHttp(config.httpPort, { notReady, metrics: registry });
  const watchesEnded = watches.run(signal);
  const worked = new AbortController();
  const eventsEnded = events.run(worked.signal);
  log.info({ port: server.port, namespace: config.watchNamespace ?? 'all' }, 'started');
  try {
    // Working on an incomplete cache would apply Deployments that exist already.
    await watches.synced;
    isSynced = true;
    log.info({ feeds: watches.feeds.list().length }, 'watching');
    await election.acquire(signal);
    const work = (key: string) => {
      election.check();
      return reconcile(key, parts);
    };
    const working = runWorkers(
      { controller: 'exchangefeed', queue, concurrency, reconcile: work, log, metrics },
      signal,
    );
    await Promise.race([working, election.lost]);
  } catch (error) {
    if (!signal.aborted || error instanceof LeaseLostError) throw error;
  }
  // The last reconciles have events to tell, too.
  worked.abort(signal.reason);
  await Promise.all([watchesEnded, eventsEnded]);
  await election.release();
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
