// The file that knows the order: brings one feed to what it asks for, and says how far that got. Level-triggered: it
// starts from what is there now, never from what happened.
import { isDeepStrictEqual } from 'node:util';
import type { ExchangeFeed } from '../api/exchange-feed.ts';
import { backoffDelayMs } from '../runtime/backoff.ts';
import type { Logger } from '../runtime/log.ts';
import type { ControllerConfig } from './config.ts';
import { type Desired, desire, type Schemas } from './desired.ts';
import { classOf, conditionOf, type Reason, TargetError, wordsOf } from './errors.ts';
import type { WorkerReader } from './feeds.ts';
import type { Outcome } from './kube/workers.ts';
import { type FeedMemory, type Memory, recall } from './memory.ts';
import type { ControllerMetrics } from './metrics.ts';
import { type Action, type Observed, plan } from './plan.ts';
import { describe, type Seen } from './status.ts';
import type { SubjectsTarget } from './targets/subjects.ts';
import type { TopicsTarget } from './targets/topics.ts';
import type { WorkersTarget } from './targets/workers.ts';
import type { Deployment, Pod } from './workload.ts';

export const finalizer = 'feeds.k2.dev/workers';

/** What the watches last saw; keys are `namespace/name` of the feed. */
export interface Cache {
  feed(key: string): ExchangeFeed | null;
  deployment(key: string): Deployment | null;
  pods(key: string): Pod[];
}

/** The two writes to a feed. */
export interface FeedWriter {
  setFinalizer(feed: ExchangeFeed, wanted: boolean): Promise<unknown>;
  applyStatus(feed: ExchangeFeed, status: ExchangeFeed['status']): Promise<unknown>;
}

export interface Parts {
  config: ControllerConfig;
  schemas: Schemas;
  cache: Cache;
  writer: FeedWriter;
  targets: { topics: TopicsTarget; subjects: SubjectsTarget; workers: WorkersTarget };
  workers: WorkerReader;
  memory: Memory;
  metrics: ControllerMetrics;
  log: Logger;
  /** Monotonic and wall clock, milliseconds. */
  nowMs: () => number;
  wallClockMs: () => number;
  /** A number in [0, 1). */
  random: () => number;
}

// From 1 s on, so that Ready follows soon after it is true; 10 s at most while a person may be waiting for it.
const progressLimits = { delayMsBase: 2_000, delayMsMax: 10_000 };
// A broker or registry that is away is not asked by every feed every 10 s.
const retryLimits = { delayMsBase: 2_000, delayMsMax: 30_000 };
// Workers have no watch: their figures and their streaming are read at this rhythm.
const readyMs = 30_000;
// What stays so however often it is looked at, while the feed streams on.
const lasting: Reason = 'TradesLost';
// Kafka and the registry have no watch either; jitter, or all feeds would be looked at at once for ever after a start.
const driftMs = 300_000;
const driftJitter = 0.2;
const liveMs = 30_000;
// A worker that has just begun has no rate to tell yet.
const settleMs = 5_000;
// Deleting a worker takes as long as its drain, 30 s at most; a node that is gone must not keep a feed for ever.
const deletionMsMax = 60_000;
const deletionPollMs = 1_000;

export async function reconcile(key: string, parts: Parts): Promise<Outcome> {
  const feed = parts.cache.feed(key);
  if (feed === null) {
    parts.memory.delete(key);
    return 'done';
  }
  const memory = recall(parts.memory, key, feed);
  if (feed.metadata.deletionTimestamp !== undefined) return remove(key, feed, memory, parts);

  const desired = accept(feed, parts);
  if (desired instanceof TargetError) return conclude(key, { ...unseen, feed, failures: [desired] }, memory, parts);
  await parts.writer.setFinalizer(feed, true);
  const observed = await observe(desired, memory, parts);
  const { actions, refusals } = plan(desired, observed);
  const failures = [...refusals, ...(await apply(key, desired, actions, parts))];
  const reached = await verify(desired, observed, actions, failures, memory, parts);
  return conclude(key, { feed, desired, ...reached }, memory, parts);
}

/** Refuses what the CRD's own rules cannot: they may be those of another version than this program. */
function accept(feed: ExchangeFeed, { config, schemas }: Parts): Desired | TargetError {
  if (schemas.raw[feed.spec.exchange] === undefined) {
    const known = Object.keys(schemas.raw).join(', ');
    return new TargetError('UnknownExchange', `exchange "${feed.spec.exchange}" is not one of: ${known}`);
  }
  try {
    return desire(feed, config, schemas);
  } catch (error) {
    return new TargetError('InvalidSpec', wordsOf(error), { cause: error });
  }
}

async function observe(desired: Desired, { verified }: FeedMemory, { targets, nowMs }: Parts): Promise<Observed> {
  const deployment = await targets.workers.observe(desired.deployment);
  if (verified !== null && nowMs() < verified.untilMs) return { ...verified, deployment };
  const [topics, subjects] = await Promise.all([
    orFailure(targets.topics.observe(desired)),
    orFailure(targets.subjects.observe(desired)),
  ]);
  return { topics, subjects, deployment };
}

/** In order; after a failure the workers are left as they are. */
async function apply(key: string, desired: Desired, actions: Action[], parts: Parts): Promise<TargetError[]> {
  const failures: TargetError[] = [];
  for (const action of actions) {
    const { target, kind } = action;
    if (target === 'workers' && failures.length > 0) break;
    const failure = await orFailure(applyOne(desired, action, parts.targets));
    if (failure instanceof TargetError) {
      failures.push(failure);
    } else {
      parts.log.info({ feed: key, target, kind }, 'applied');
      parts.metrics.actions.inc({ target, kind });
    }
  }
  return failures;
}

function applyOne(desired: Desired, action: Action, targets: Parts['targets']): Promise<void> {
  switch (action.target) {
    case 'topics':
      return targets.topics.apply(desired, action);
    case 'subjects':
      return targets.subjects.apply(desired, action);
    case 'workers':
      return targets.workers.apply(desired.deployment, action);
  }
}

type Reached = Pick<Seen, 'topics' | 'subjects' | 'deployment' | 'failures'>;

/** Looks again at what was changed outside, and remembers topics and subjects once they are right. */
async function verify(
  desired: Desired,
  observed: Observed,
  actions: Action[],
  failures: TargetError[],
  memory: FeedMemory,
  { targets, nowMs, random }: Parts,
): Promise<Reached> {
  const changed = (target: Action['target']) => actions.some((action) => action.target === target);
  const [topics, subjects] = await Promise.all([
    changed('topics') ? orFailure(targets.topics.observe(desired)) : observed.topics,
    changed('subjects') ? orFailure(targets.subjects.observe(desired)) : observed.subjects,
  ]);
  const deployment = observed.deployment ?? (changed('workers') && failures.length === 0 ? desired.deployment : null);
  // What could not be observed before is among the failures already; what went away just now is not.
  const isNew = (it: unknown): it is TargetError => it instanceof TargetError && !failures.includes(it);
  const all = [...failures, ...[topics, subjects].filter(isNew)];
  const known = {
    topics: topics instanceof TargetError ? null : topics,
    subjects: subjects instanceof TargetError ? null : subjects,
  };
  if (all.some(({ reason }) => conditionOf(reason) !== 'WorkersAvailable')) memory.verified = null;
  else if (known.topics && known.subjects && (memory.verified === null || nowMs() >= memory.verified.untilMs)) {
    const untilMs = nowMs() + driftMs * (1 + driftJitter * (random() - 0.5));
    memory.verified = { topics: known.topics, subjects: known.subjects, untilMs };
  }
  return { ...known, deployment, failures: all };
}

const unseen = { desired: null, topics: null, subjects: null, deployment: null };

/** Nothing writes any more when the feed is gone; topics and subjects stay. */
async function remove(key: string, feed: ExchangeFeed, memory: FeedMemory, parts: Parts): Promise<Outcome> {
  if (!feed.metadata.finalizers?.includes(finalizer)) return 'done';
  const deployment = parts.cache.deployment(key);
  const isGone = deployment === null && parts.cache.pods(key).length === 0;
  memory.deletedMs ??= parts.nowMs();
  const isOverdue = parts.nowMs() - memory.deletedMs >= deletionMsMax;
  if (isGone || isOverdue) {
    if (isOverdue) parts.log.warn({ feed: key }, `workers are not gone after ${deletionMsMax} ms: the feed goes first`);
    await parts.writer.setFinalizer(feed, false);
    return 'done';
  }
  if (deployment !== null && deployment.metadata.deletionTimestamp === undefined) {
    await parts.targets.workers.remove(deployment);
  }
  const failures = [
    new TargetError('Deleting', 'The feed is deleted once its workers have ended; topics and subjects stay'),
  ];
  await conclude(key, { ...unseen, feed, deployment, failures }, memory, parts);
  return { requeueAfterMs: deletionPollMs };
}

/** Asks the workers, then the one status write, if anything changed; returns when to look again. */
async function conclude(
  key: string,
  seen: Reached & Pick<Seen, 'feed' | 'desired'>,
  memory: FeedMemory,
  parts: Parts,
): Promise<Outcome> {
  const pods = parts.cache.pods(key);
  const reports = await parts.workers.read(pods);
  for (const { reason } of seen.failures) parts.metrics.failures.inc({ reason });
  const liveDue = parts.nowMs() >= memory.liveDueMs;
  const previous = memory.status;
  const status = describe({ ...seen, pods, reports, previous, nowMs: parts.wallClockMs(), liveDue });
  if (!isDeepStrictEqual(status, previous)) {
    await parts.writer.applyStatus(seen.feed, status);
    memory.status = status;
    if (liveDue) memory.liveDueMs = parts.nowMs() + liveMs;
    parts.metrics.statusWrites.inc();
  }
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  const before = previous.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.reason !== before?.reason) parts.log.info({ feed: key, reason: ready?.reason }, ready?.message ?? '');
  memory.unreadyCount = ready?.status === 'True' ? 0 : memory.unreadyCount + 1;
  if (ready?.reason === lasting) return { requeueAfterMs: readyMs };
  if (memory.unreadyCount > 0) return { requeueAfterMs: unreadyLookMs(seen.failures, memory, parts) };
  if (before?.status === 'True') return { requeueAfterMs: readyMs };
  memory.liveDueMs = parts.nowMs() + settleMs;
  return { requeueAfterMs: settleMs };
}

function unreadyLookMs(failures: TargetError[], { unreadyCount }: FeedMemory, { random }: Parts): number {
  if (failures.some(({ reason }) => classOf(reason) === 'terminal')) return driftMs;
  return backoffDelayMs(unreadyCount, failures.length > 0 ? retryLimits : progressLimits, random());
}

/** A target's own failure as a value, since it becomes a condition. Any other error fails the reconcile. */
async function orFailure<T>(work: Promise<T>): Promise<T | TargetError> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof TargetError) return error;
    throw error;
  }
}
