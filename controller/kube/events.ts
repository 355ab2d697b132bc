// Events about objects, as `kubectl events` shows them: recorded at once, written in the background, one by one. What
// happens again is counted in the Event that is there, as a series.
// https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
import type { Logger } from '../../runtime/log.ts';
import { type Bucket, type BucketLimits, createBucket } from './bucket.ts';
import { type Clock, sleep } from './clock.ts';
import { isNotFound, KubeError } from './errors.ts';
import type { KubeMetrics } from './metrics.ts';
import { type KubeObject, type Resource, resourcePath } from './object.ts';
import { createQueue } from './queue.ts';
import { microTime } from './time.ts';
import type { Transport } from './transport.ts';

export interface EventNote {
  type: 'Normal' | 'Warning';
  /** Why, in CamelCase, from a closed list. */
  reason: string;
  /** One sentence for a person; cut at 1,024 bytes. Anyone who may read events reads it: no secrets. */
  note: string;
  /** What was done or tried, in CamelCase. */
  action: string;
}

export interface Recorder {
  /** Tells of a transition of `object`, not of a state. Neither waits nor throws; what is too much is dropped. */
  record(object: KubeObject, event: EventNote): void;
}

export interface EventWriter extends Recorder {
  /** Writes until `signal` is aborted, then what is still to be written, for a short while. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

export interface EventWriterOptions {
  transport: Transport;
  /** Who reports, such as `feeds.k2.dev/operator`. */
  controller: string;
  /** Which of its processes, at most 128 characters. */
  instance: string;
  clock: Clock;
  wallClockMs: () => number;
  /** A number in [0, 1). */
  random: () => number;
  log: Pick<Logger, 'warn'>;
  metrics?: KubeMetrics;
}

const events: Resource = { group: 'events.k8s.io', version: 'v1', plural: 'events' };

// The API server's own limits.
const noteBytesMax = 1_024;
const nameCharactersMax = 253;
// As client-go: what comes again later than that is a new Event.
const seriesMsMax = 360_000;
// A count that grows is written that often: a loop that fails every second must not write every second.
const seriesWriteMs = 60_000;
// Series that are remembered, about 1 KB each: the oldest is forgotten first, and then at worst told anew.
const seriesMax = 4_000;
// One object that flaps: client-go's limit against it.
const objectLimits: BucketLimits = { perSecond: 1 / 300, burst: 25 };
// All events together: a start with a thousand objects must leave the API server time for others.
const writeLimits: BucketLimits = { perSecond: 10, burst: 50 };
// Together about a minute: an event that is later than that helps nobody.
const triesMax = 6;
const requestMsMax = 5_000;
// Part of the time that a pod has between SIGTERM and SIGKILL.
const lastWritesMsMax = 3_000;

interface Series {
  object: KubeObject;
  event: EventNote;
  /** Of the Event object. */
  name: string;
  firstMs: number;
  lastMs: number;
  /** How often it happened, and how much of that the server knows. */
  count: number;
  writtenCount: number;
  /** Monotonic; when it was last recorded and last written. */
  seenMs: number;
  writtenMs: number;
  failures: number;
}

export function createEventWriter(options: EventWriterOptions): EventWriter {
  const { transport, controller, instance, clock, wallClockMs, log, metrics } = options;
  const queue = createQueue({ name: 'events', clock, random: options.random, ...(metrics && { metrics }) });
  const pace = createBucket(writeLimits, clock.nowMs);
  /** The one recorded last comes last. */
  const all = new Map<string, Series>();
  const objects = new Map<string, Bucket>();
  let names = 0;

  function record(object: KubeObject, event: EventNote): void {
    const { uid = '', namespace = '', name } = object.metadata;
    const key = JSON.stringify([uid, namespace, name, event.type, event.reason, event.action, event.note]);
    const known = all.get(key);
    const nowMs = clock.nowMs();
    const series = known && nowMs - known.seenMs < seriesMsMax ? known : begin(object, event);
    if (series === null) {
      metrics?.events.inc({ result: 'dropped' });
      return;
    }
    series.count++;
    series.lastMs = wallClockMs();
    series.seenMs = nowMs;
    all.delete(key);
    all.set(key, series);
    forgetOldest(all);
    if (series.writtenCount === 0) queue.add(key);
    else queue.addAfter(key, series.writtenMs + seriesWriteMs - nowMs);
  }

  /** Null: this object has had its share. */
  function begin(object: KubeObject, event: EventNote): Series | null {
    const id = `${object.kind} ${object.metadata.uid ?? object.metadata.name}`;
    const bucket = objects.get(id) ?? createBucket(objectLimits, clock.nowMs);
    objects.set(id, bucket);
    forgetOldest(objects);
    if (!bucket.tryTake()) return null;
    const firstMs = wallClockMs();
    const counts = { count: 0, writtenCount: 0, failures: 0 };
    const name = nameOf(object, firstMs, names++);
    return { object, event, name, firstMs, lastMs: firstMs, ...counts, seenMs: 0, writtenMs: 0 };
  }

  async function send(series: Series, signal: AbortSignal): Promise<void> {
    const { namespace = 'default' } = series.object.metadata;
    const { name, count, lastMs } = series;
    const body =
      series.writtenCount === 0 ? eventOf(series, controller, instance) : { series: seriesOf(count, lastMs) };
    const sending = { body, signal, timeoutMs: requestMsMax };
    if (series.writtenCount === 0) await create(resourcePath({ ...events, namespace }), sending);
    else {
      const contentType = 'application/merge-patch+json';
      await transport.request('PATCH', resourcePath({ ...events, namespace, name }), { ...sending, contentType });
    }
    series.writtenCount = count;
    series.writtenMs = clock.nowMs();
    series.failures = 0;
  }

  /** That it exists already means that the first try got through, and only its answer was lost. */
  async function create(path: string, sending: { body: unknown; signal: AbortSignal; timeoutMs: number }) {
    try {
      await transport.request('POST', path, sending);
    } catch (error) {
      if (!(error instanceof KubeError && error.reason === 'AlreadyExists')) throw error;
    }
  }

  async function write(key: string, signal: AbortSignal): Promise<void> {
    const series = all.get(key);
    if (!series || series.count === series.writtenCount) return;
    try {
      await send(series, signal);
      queue.forget(key);
      metrics?.events.inc({ result: 'written' });
    } catch (error) {
      if (signal.aborted) return;
      // The cluster deletes events after an hour or so: the series goes on in a new one.
      const isExpired = series.writtenCount > 0 && isNotFound(error);
      if (isExpired) Object.assign(series, renewed(series));
      series.failures++;
      if ((isExpired || isPassing(error)) && series.failures < triesMax) {
        queue.retry(key);
        return;
      }
      all.delete(key);
      queue.forget(key);
      metrics?.events.inc({ result: 'failed' });
      log.warn({ event: series.event, object: series.object.metadata.name, error }, 'an event could not be written');
    }
  }

  function renewed(series: Series): Partial<Series> {
    const name = nameOf(series.object, wallClockMs(), names++);
    return { name, firstMs: series.lastMs, count: 1, writtenCount: 0 };
  }

  async function lastWrites(): Promise<void> {
    const late = new AbortController();
    const cancel = clock.setTimer(lastWritesMsMax, () => late.abort(new Error('no time left for events')));
    for (const key of [...all.keys()]) if (!late.signal.aborted) await write(key, late.signal);
    cancel();
  }

  async function run(signal: AbortSignal): Promise<void> {
    for (let key = await queue.get(signal); key !== null; key = await queue.get(signal)) {
      const waitMs = pace.reserve();
      if (waitMs > 0) await sleep(clock, waitMs, signal);
      await write(key, signal);
      queue.done(key);
    }
    await lastWrites();
  }

  return { record, run };
}

function forgetOldest(map: Map<string, unknown>): void {
  const [oldest] = map.keys();
  if (map.size > seriesMax && oldest !== undefined) map.delete(oldest);
}

/** Not: the namespace ends or is gone, or we may not. */
const isPassing = (error: unknown): boolean =>
  !(error instanceof KubeError) || error.status >= 500 || error.status === 429;

/** Unique as long as the clock goes on and the process lives; another process has another time. */
function nameOf({ metadata: { name } }: KubeObject, wallMs: number, counter: number): string {
  const suffix = `.${Math.trunc(wallMs).toString(16)}${(counter % 4_096).toString(16).padStart(3, '0')}`;
  return `${name.slice(0, nameCharactersMax - suffix.length).replace(/[.-]+$/, '')}${suffix}`;
}

function eventOf({ object, event, name, firstMs, lastMs, count }: Series, controller: string, instance: string) {
  const { apiVersion, kind, metadata } = object;
  const { namespace = 'default' } = metadata;
  return {
    apiVersion: `${events.group}/${events.version}`,
    kind: 'Event',
    metadata: { name, namespace },
    eventTime: microTime(firstMs),
    type: event.type,
    reason: event.reason,
    action: event.action,
    note: noteOf(event.note),
    regarding: { apiVersion, kind, namespace: metadata.namespace, name: metadata.name, uid: metadata.uid },
    reportingController: controller,
    reportingInstance: instance,
    ...(count > 1 && { series: seriesOf(count, lastMs) }),
  };
}

const seriesOf = (count: number, lastMs: number) => ({ count, lastObservedTime: microTime(lastMs) });

/** Cut to what the server takes; a password in a URL, the one way that one gets into an error's words, is left out. */
function noteOf(note: string): string {
  const bytes = Buffer.from(note.replace(/(:\/\/)[^/\s@]+@/g, '$1***@'));
  if (bytes.length <= noteBytesMax) return bytes.toString();
  const ellipsis = '…';
  // A character that is cut in two decodes to U+FFFD.
  const kept = bytes
    .subarray(0, noteBytesMax - Buffer.byteLength(ellipsis))
    .toString()
    .replace(/\uFFFD$/, '');
  return `${kept}${ellipsis}`;
}
