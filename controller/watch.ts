// What is watched: feeds, and the Deployments, budgets and Pods made for them. Any change puts the feed's key into the
// queue.
import { isDeepStrictEqual } from 'node:util';
import {
  type ExchangeFeed,
  group,
  pauseReconciliationAnnotation,
  plural,
  restartAnnotation,
  version,
} from '../api/exchange-feed.ts';
import type { Logger } from '../runtime/log.ts';
import { systemClock } from './kube/clock.ts';
import type { KubeMetrics } from './kube/metrics.ts';
import { type KubeObject, type Resource, resourcePath } from './kube/object.ts';
import { createReflector, type Reflector, type ReflectorOptions } from './kube/reflector.ts';
import type { Transport } from './kube/transport.ts';
import type { Cache } from './reconcile.ts';
import {
  budgets,
  type Deployment,
  deployments,
  feedKeyOf,
  managedBy,
  managedByLabel,
  type Pod,
  type PodDisruptionBudget,
  pods,
} from './workload.ts';

export const feeds: Resource = { group, version, plural };

export interface Watches {
  feeds: Reflector<ExchangeFeed>;
  deployments: Reflector<Deployment>;
  budgets: Reflector<PodDisruptionBudget>;
  pods: Reflector<Pod>;
  /** All of them were listed once. */
  synced: Promise<unknown>;
  /** Resolves after `signal` was aborted. */
  run(signal: AbortSignal): Promise<unknown>;
}

export interface WatchesOptions {
  transport: Transport;
  /** Undefined: all namespaces. */
  namespace: string | undefined;
  /** Called with the key of a feed that is worth a reconcile. */
  onKey: (key: string) => void;
  log: Logger;
  metrics: KubeMetrics;
}

export function createWatches({ namespace, onKey, ...shared }: WatchesOptions): Watches {
  type Own<T extends KubeObject> = Pick<ReflectorOptions<T>, 'onChange' | 'labelSelector'>;
  const watch = <T extends KubeObject>(resource: Resource, own: Own<T>): Reflector<T> => {
    const path = resourcePath({ ...resource, namespace });
    return createReflector<T>({
      ...shared,
      ...own,
      clock: systemClock,
      random: Math.random,
      name: resource.plural,
      path,
    });
  };
  const ours = {
    labelSelector: `${managedByLabel}=${managedBy}`,
    onChange: (_key: string, previous: KubeObject | null, current: KubeObject | null) => {
      const object = current ?? previous;
      const feedKey = object === null ? null : feedKeyOf(object);
      if (feedKey !== null) onKey(feedKey);
    },
  };
  const watches = {
    feeds: watch<ExchangeFeed>(feeds, {
      onChange: (key, previous, current) => {
        if (needsReconcile(previous, current)) onKey(key);
      },
    }),
    deployments: watch<Deployment>(deployments, ours),
    budgets: watch<PodDisruptionBudget>(budgets, ours),
    pods: watch<Pod>(pods, ours),
  };
  const all = Object.values(watches);
  return {
    ...watches,
    synced: Promise.all(all.map(({ synced }) => synced)),
    run: (signal) => Promise.all(all.map((it) => it.run(signal))),
  };
}

/**
 * Not our own status writes, nor annotations of others: only a feed that is new, gone, being deleted, or has another
 * spec, other finalizers, or another value of an annotation that we read. The generation counts changes of the spec.
 */
export function needsReconcile(previous: ExchangeFeed | null, current: ExchangeFeed | null): boolean {
  if (previous === null || current === null) return true;
  const wanted = ({ metadata }: ExchangeFeed) => {
    const { uid, generation, deletionTimestamp, finalizers, annotations = {} } = metadata;
    const read = [pauseReconciliationAnnotation, restartAnnotation].map((name) => annotations[name]);
    return { uid, generation, deletionTimestamp, finalizers, read };
  };
  return !isDeepStrictEqual(wanted(previous), wanted(current));
}

/** What the watches last saw of one feed. */
export function cacheOf({ feeds, deployments, budgets, pods }: Watches): Cache {
  const ofFeed = <T extends KubeObject>(objects: T[], key: string) => objects.filter((it) => feedKeyOf(it) === key);
  return {
    feed: feeds.get,
    workload: (key) => ({
      deployments: ofFeed(deployments.list(), key),
      budgets: ofFeed(budgets.list(), key),
    }),
    pods: (key) => ofFeed(pods.list(), key),
  };
}
