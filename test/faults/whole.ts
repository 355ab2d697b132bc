// Whether the whole system is well: trades of every symbol arrive, none is missing, every feed says Ready and has the
// workers that it asks for.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExchangeFeed } from '../../api/exchange-feed.ts';
import { isReady } from '../../controller/workload.ts';
import { until } from '../cluster/until.ts';
import { conditionOf } from '../e2e/feeds.ts';
import type { Feed } from './feeds.ts';
import type { Watch } from './reader.ts';
import { controllerPods, listDeployments, listFeeds, listWorkerPods, type System, type WorkerPod } from './system.ts';

/**
 * The slowest way back that is as it should be: the kubelet waits up to 160 s with a container that ended for the fifth
 * time within ten minutes, and the worker then takes its time to start beside everything else on two cores.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
 */
export const wholeMsMax = 240_000;
/** Between two looks at the API server, which other parts need, too. */
const lookMs = 200;

/**
 * Resolves when all is whole.
 * @param watch from when on trades must have been made that have come
 * @throws Error with what is missing, once the bound has passed
 */
export async function untilWhole(system: System, watch: Watch, limitMs = wholeMsMax): Promise<void> {
  let why: string | null = 'not looked yet';
  await until('the system to be whole', limitMs, async () => {
    if (system.reader.problem !== null) throw new Error(`the reader: ${system.reader.problem}`);
    why = await whyNotWhole(system, watch);
    if (why !== null) throw new Error(why);
    return true;
  });
}

/** Null: it is whole; otherwise what is missing first, one sentence. */
async function whyNotWhole(system: System, watch: Watch): Promise<string | null> {
  // The cheap look first: the API server has other things to do.
  const trades = firstOf(system.feeds, (feed) => tradesMissing(system, feed, feed.symbols.slice(0, -1), watch));
  if (trades !== null) return trades;
  const why = await whyNotSettled(system, watch);
  if (why !== null) await sleep(lookMs);
  return why;
}

async function whyNotSettled(system: System, watch: Watch): Promise<string | null> {
  const [objects, pods, deployments, controllers] = await Promise.all([
    listFeeds(system),
    listWorkerPods(system),
    listDeployments(system),
    controllerPods(system),
  ]);
  if (!controllers.some(isReady)) return 'no controller is ready';
  const updating = deployments.find(
    ({ metadata, spec, status }) =>
      metadata.generation !== status?.observedGeneration ||
      spec.replicas !== (status?.updatedReplicas ?? 0) ||
      spec.replicas !== (status?.replicas ?? 0),
  );
  if (updating) return `Deployment ${updating.metadata.name} is being rolled out`;
  return firstOf(system.feeds, (feed) => {
    const object = objects.find(({ metadata }) => metadata.name === feed.name);
    if (object === undefined) return `the feed ${feed.name} is gone`;
    const ofFeed = pods.filter(({ metadata }) => metadata.labels?.['feeds.k2.dev/feed'] === feed.name);
    return podsMissing(object, ofFeed) ?? notReady(object) ?? tradesMissing(system, feed, object.spec.symbols, watch);
  });
}

function tradesMissing({ reader }: System, feed: Feed, symbols: readonly string[], watch: Watch): string | null {
  const silent = symbols.find((symbol) => watch.firstMs(feed.topic, symbol) === undefined);
  if (silent !== undefined) return `${feed.topic}: no trade of ${silent} made since has come`;
  if (!feed.isProvable) return null;
  const [hole] = symbols.flatMap((symbol) => reader.holes(feed.topic, symbol).map((ids) => `${symbol} ${ids}`));
  return hole === undefined ? null : `${feed.topic}: ${hole} is missing`;
}

function podsMissing({ metadata, spec }: ExchangeFeed, pods: readonly WorkerPod[]): string | null {
  const wanted = spec.shards * (1 + spec.standbys);
  const ready = pods.filter(isReady).length;
  if (ready === wanted && pods.length === wanted) return null;
  return `${metadata.name}: ${ready} of ${pods.length} pods are ready, ${wanted} are wanted`;
}

function notReady(feed: ExchangeFeed): string | null {
  const condition = conditionOf(feed, 'Ready');
  const isCurrent = condition?.observedGeneration === feed.metadata.generation;
  if (isCurrent && condition?.status === 'True') return null;
  return `${feed.metadata.name}: ${isCurrent ? condition?.message : 'its status is of an older generation'}`;
}

function firstOf<T>(items: readonly T[], look: (item: T) => string | null): string | null {
  for (const item of items) {
    const found = look(item);
    if (found !== null) return found;
  }
  return null;
}
