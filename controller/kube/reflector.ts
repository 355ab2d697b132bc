// A copy of one collection of objects, kept current for ever by list and watch; whatever fails, it starts over.
// The rules are client-go's: https://github.com/kubernetes/client-go/blob/master/tools/cache/reflector.go
import { type BackoffLimits, backoffDelayMs } from '../../runtime/backoff.ts';
import type { Logger } from '../../runtime/log.ts';
import { type Clock, sleep } from './clock.ts';
import { isGone, KubeError } from './errors.ts';
import { listAll, metadataOnly } from './list.ts';
import type { KubeMetrics } from './metrics.ts';
import { type KubeObject, keyOf } from './object.ts';
import { createStore } from './store.ts';
import type { Transport } from './transport.ts';

export interface ReflectorOptions<T extends KubeObject> {
  /** Label of the metrics and the log: what is watched, such as `deployments`. */
  name: string;
  transport: Transport;
  /** The collection, from `resourcePath`. */
  path: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Of each object only its metadata is asked for, and without annotations kept. */
  isMetadataOnly?: boolean;
  /** Index keys under which `byIndex` finds an object; absent: none. */
  indexBy?: (object: T) => readonly string[];
  /**
   * Called after the copy has changed: `previous` is null for a new object, `current` is null for a deleted one.
   * What was missed while disconnected comes as one change; `previous` and `current` of different uid are two objects
   * that had the name one after the other. It should only add keys to a queue: what it throws is logged and then lost.
   */
  onChange: (key: string, previous: T | null, current: T | null) => void;
  clock: Clock;
  /** A number in [0, 1). */
  random: () => number;
  log: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
  metrics?: Pick<KubeMetrics, 'lists' | 'watches'>;
  /** Silence that ends a watch, milliseconds; two and a half minutes when absent. */
  idleMsMax?: number;
}

export interface Reflector<T extends KubeObject> {
  /** The first list is complete. Rejects when `run` ends before that. */
  readonly synced: Promise<void>;
  get(key: string): T | null;
  list(): T[];
  /** Objects for which `indexBy` names this index key. */
  byIndex(indexKey: string): T[];
  /** Keeps the copy current until `signal` is aborted, whatever happens. Rejects only if it runs already. */
  run(signal: AbortSignal): Promise<void>;
}

// The server sends a bookmark about every minute when nothing else happens: one may be lost, and the next one late.
const watchIdleMsMax = 150_000;
// The first pause is 0.8 to 1.6 s, the longest 15 to 30 s.
const reconnectLimits: BackoffLimits = { delayMsBase: 1_600, delayMsMax: 30_000 };
// A watch that lived that long shows that the server is well: the next failure begins with the shortest pause.
const goodWatchMsMin = 60_000;
// A watch closed so soon, without one event, may mean a resourceVersion that the server has forgotten:
// https://github.com/kubernetes/kubernetes/issues/137089
const suspiciousWatchMsMax = 2_000;
// As client-go: watches do not end all at once.
const watchSecondsMin = 300;
const watchSecondsMax = 600;

export function createReflector<T extends KubeObject>(options: ReflectorOptions<T>): Reflector<T> {
  const { name, transport, path, onChange, clock, random, log, metrics, idleMsMax = watchIdleMsMax } = options;
  const selectors = { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
  const accept = options.isMetadataOnly ? metadataOnly : null;
  const kept = options.isMetadataOnly ? withoutNotes<T> : (object: T) => object;
  const objects = createStore<T>(options.indexBy);
  /** Where in the collection's history the copy is; null: nowhere, list again. */
  let resourceVersion: string | null = null;
  /** Lists and watches in a row that did not last. */
  let failures = 0;
  let running = false;
  const synced = Promise.withResolvers<void>();
  // Whoever waits sees the rejection; that nobody waits is no error.
  synced.promise.catch(() => {});

  function set(key: string, current: T | null): void {
    const previous = objects.get(key);
    if (isSame(previous, current)) return;
    objects.set(key, current);
    try {
      onChange(key, previous, current);
    } catch (error) {
      log.error({ reflector: name, key, error }, 'the change handler failed');
    }
  }

  async function relist(signal: AbortSignal): Promise<string> {
    const listed = await listAll<T>(transport, path, selectors, signal, accept?.list);
    for (const [key, object] of listed.objects) set(key, kept(object));
    for (const key of objects.keys()) if (!listed.objects.has(key)) set(key, null);
    metrics?.lists.inc({ name });
    log.debug({ reflector: name, objects: objects.size }, 'listed');
    synced.resolve();
    return listed.resourceVersion;
  }

  /** Ends when the server ends the watch. */
  async function watch(from: string, signal: AbortSignal): Promise<void> {
    const startMs = clock.nowMs();
    metrics?.watches.inc({ name });
    const timeoutSeconds = Math.round(watchSecondsMin + random() * (watchSecondsMax - watchSecondsMin));
    const query = { ...selectors, resourceVersion: from, allowWatchBookmarks: true, timeoutSeconds };
    let events = 0;
    try {
      for await (const { type, object } of transport.watch<T>(path, query, {
        signal,
        idleMsMax,
        ...(accept && { accept: accept.watch }),
      })) {
        events++;
        resourceVersion = object.metadata.resourceVersion ?? null;
        if (type !== 'BOOKMARK') set(keyOf(object), type === 'DELETED' ? null : kept(object));
      }
    } finally {
      if (clock.nowMs() - startMs >= goodWatchMsMin) failures = 0;
    }
    if (events === 0 && clock.nowMs() - startMs < suspiciousWatchMsMax) resourceVersion = null;
  }

  /** Returns the pause before the next time, milliseconds. */
  async function listAndWatch(signal: AbortSignal): Promise<number> {
    let askedMs = 0;
    failures++;
    try {
      resourceVersion ??= await relist(signal);
      await watch(resourceVersion, signal);
    } catch (error) {
      if (signal.aborted) return 0;
      if (isGone(error)) resourceVersion = null;
      if (error instanceof KubeError) askedMs = error.retryAfterMs ?? 0;
      const next = resourceVersion === null ? 'will list again' : 'will watch on';
      log[isGone(error) ? 'info' : 'warn']({ reflector: name, error }, next);
    }
    return Math.max(askedMs, backoffDelayMs(failures, reconnectLimits, random()));
  }

  async function run(signal: AbortSignal): Promise<void> {
    if (running) throw new Error(`reflector ${name}: it runs already`);
    running = true;
    while (!signal.aborted) await sleep(clock, await listAndWatch(signal), signal);
    running = false;
    synced.reject(signal.reason);
  }

  const { get, list, byIndex } = objects;
  return { synced: synced.promise, get, list, byIndex, run };
}

/** `kubectl apply` notes a whole object, with all that is in it, in an annotation: of a Secret it must not be kept. */
function withoutNotes<T extends KubeObject>({ apiVersion, kind, metadata }: T): T {
  const { name, namespace, uid, resourceVersion, labels } = metadata;
  return { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion, labels } } as T;
}

function isSame(previous: KubeObject | null, current: KubeObject | null): boolean {
  if (previous === null || current === null) return previous === current;
  const [a, b] = [previous.metadata, current.metadata];
  return a.uid === b.uid && a.resourceVersion === b.resourceVersion;
}
