// What is watched: feeds, the Deployments, budgets and Pods made for them, and the versions of Secrets, of which some
// are named by feeds. Any change puts the feed's key into the queue.
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
import { type SecretDefaults, secretKeysOf } from './access.ts';
import type { ControllerConfig } from './config.ts';
import { type Claims, createClaims } from './conflicts.ts';
import { systemClock } from './kube/clock.ts';
import type { KubeMetrics } from './kube/metrics.ts';
import { type KubeObject, type Resource, resourcePath } from './kube/object.ts';
import { createReflector, type Reflector, type ReflectorOptions } from './kube/reflector.ts';
import type { Transport } from './kube/transport.ts';
import type { Cache } from './reconcile.ts';
import { createSecretIndex, secrets } from './secrets.ts';
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
  /** The resourceVersion of a Secret, `<namespace>/<name>`; null: there is none. Nothing else is kept of them. */
  secretVersion(key: string): string | null;
  /** As Cache.claims(). */
  claims(): Claims;
  /** All of them were listed once. */
  synced: Promise<unknown>;
  /** Resolves after `signal` was aborted. */
  run(signal: AbortSignal): Promise<unknown>;
}

export interface WatchesOptions {
  transport: Transport;
  /** Undefined: all namespaces. */
  namespace: string | undefined;
  /** Of feeds that name none. */
  bootstrapServers: ControllerConfig['bootstrapServers'];
  secretDefaults: SecretDefaults;
  /** Called with the key of a feed that is worth a reconcile. */
  onKey: (key: string) => void;
  log: Logger;
  metrics: KubeMetrics;
}

export function createWatches({
  namespace,
  onKey,
  bootstrapServers,
  secretDefaults,
  ...shared
}: WatchesOptions): Watches {
  type Own<T extends KubeObject> = Pick<
    ReflectorOptions<T>,
    'onChange' | 'labelSelector' | 'isMetadataOnly' | 'indexBy'
  >;
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
    indexBy: feedKeysOf,
    onChange: (_key: string, previous: KubeObject | null, current: KubeObject | null) => {
      const object = current ?? previous;
      for (const feedKey of object === null ? [] : feedKeysOf(object)) onKey(feedKey);
    },
  };
  /** Null: nobody has asked yet, so every feed still waits for its first reconcile. */
  let claims: Claims | null = null;
  const index = createSecretIndex();
  const onSecret = (key: string) => {
    for (const feedKey of index.feedsOf(key)) onKey(feedKey);
  };
  const onFeed = (key: string, previous: ExchangeFeed | null, current: ExchangeFeed | null) => {
    index.set(key, current === null ? [] : secretKeysOf(current, secretDefaults));
    if (!needsReconcile(previous, current)) return;
    onKey(key);
    if (claims === null || !changesClaim(previous, current)) return;
    for (const rival of claims.change(key, current)) onKey(rival);
  };
  const watches = {
    feeds: watch<ExchangeFeed>(feeds, { onChange: onFeed }),
    deployments: watch<Deployment>(deployments, ours),
    budgets: watch<PodDisruptionBudget>(budgets, ours),
    pods: watch<Pod>(pods, ours),
  };
  const secretNames = watch<KubeObject>(secrets, { onChange: onSecret, isMetadataOnly: true });
  const all = [...Object.values(watches), secretNames];
  return {
    ...watches,
    claims() {
      claims ??= createClaims(watches.feeds.list(), { bootstrapServers });
      return claims;
    },
    secretVersion: (key) => secretNames.get(key)?.metadata.resourceVersion ?? null,
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

/**
 * A feed that is new, gone, being deleted, or has another spec. Finding out what that means for others costs a look at
 * all feeds that share a topic with it, so our own writes must not.
 */
export function changesClaim(previous: ExchangeFeed | null, current: ExchangeFeed | null): boolean {
  if (previous === null || current === null) return true;
  const [a, b] = [previous.metadata, current.metadata];
  return a.uid !== b.uid || a.generation !== b.generation || a.deletionTimestamp !== b.deletionTimestamp;
}

function feedKeysOf(object: KubeObject): string[] {
  const feedKey = feedKeyOf(object);
  return feedKey === null ? [] : [feedKey];
}

/** What the watches last saw of one feed. */
export function cacheOf({ feeds, deployments, budgets, pods, claims }: Watches): Cache {
  return {
    feed: feeds.get,
    claims,
    workload: (key) => ({ deployments: deployments.byIndex(key), budgets: budgets.byIndex(key) }),
    pods: pods.byIndex,
  };
}
