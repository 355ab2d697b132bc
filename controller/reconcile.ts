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
import { hold, isHeld } from './held.ts';
import type { Outcome } from './kube/workers.ts';
import { type FeedMemory, type Memory, recall } from './memory.ts';
import type { ControllerMetrics } from './metrics.ts';
import { type Action, type Observed, plan } from './plan.ts';
import { describe, type Seen } from './status.ts';
import { hear, ownerlessShards, type ShardReport } from './streaming.ts';
import type { SubjectsTarget } from './targets/subjects.ts';
import type { TopicsTarget } from './targets/topics.ts';
import type { WorkersTarget } from './targets/workers.ts';
import { type Deployment, isEnding, isPaused, type Pod, type Workload } from './workload.ts';

export const finalizer = 'feeds.k2.dev/workers';

/** What the watches last saw; keys are `namespace/name` of the feed. */
export interface Cache {
  feed(key: string): ExchangeFeed | null;
  workload(key: string): Workload;
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
// An owner that is silent is taken over from after 15 s, and that takes a few more: longer is no hand-over.
const ownerlessMsMax = 30_000;
// Deleting a worker takes as long as its drain, 45 s at most; a node that is gone must not keep a feed for ever.
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
  if (desired instanceof TargetError) {
    const { deployments } = parts.cache.workload(key);
    return conclude(key, { ...unseen, feed, deployments, failures: [desired] }, memory, parts);
  }
  if (!isHeld(feed)) await parts.writer.setFinalizer(feed, true);
  const observed = await observe(desired, memory, parts);
  const { actions, refusals } = plan(desired, observed);
  const { done, failures } = isHeld(feed)
    ? { done: [], failures: hold(actions) }
    : await apply(key, desired, actions, parts);
  const reached = await verify(desired, observed, done, [...refusals, ...failures], memory, parts);
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

async function observe(desired: Desired, memory: FeedMemory, { targets, nowMs }: Parts): Promise<Observed> {
  const workload = await targets.workers.observe(desired.workload);
  const isHeldUp = ownerlessFor(memory, nowMs()).length > 0;
  const { verified } = memory;
  if (verified !== null && nowMs() < verified.untilMs) return { ...verified, workload, isHeldUp };
  const [topics, subjects] = await Promise.all([
    orFailure(targets.topics.observe(desired)),
    orFailure(targets.subjects.observe(desired)),
  ]);
  return { topics, subjects, workload, isHeldUp };
}

/** In order; after a failure the workers are left as they are, unless they are to end. */
async function apply(key: string, desired: Desired, actions: Action[], parts: Parts) {
  const failures: TargetError[] = [];
  const done: Action[] = [];
  for (const action of actions) {
    const { target, kind } = action;
    if (target === 'workers' && failures.length > 0 && !isPaused(desired.workload.deployments)) break;
    const failure = await orFailure(applyOne(desired, action, parts.targets));
    if (failure instanceof TargetError) {
      failures.push(failure);
    } else {
      done.push(action);
      parts.log.info({ feed: key, target, kind }, 'applied');
      parts.metrics.actions.inc({ target, kind });
    }
  }
  return { done, failures };
}

function applyOne(desired: Desired, action: Action, targets: Parts['targets']): Promise<void> {
  switch (action.target) {
    case 'topics':
      return targets.topics.apply(desired, action);
    case 'subjects':
      return targets.subjects.apply(desired, action);
    case 'workers':
      return targets.workers.apply(desired.workload, action);
  }
}

type Reached = Pick<Seen, 'topics' | 'subjects' | 'deployments' | 'failures'>;

/** Looks again at what was changed outside, and remembers topics and subjects once they are right. */
async function verify(
  desired: Desired,
  observed: Observed,
  done: Action[],
  failures: TargetError[],
  memory: FeedMemory,
  { targets, nowMs, random }: Parts,
): Promise<Reached> {
  const changed = (target: Action['target']) => done.some((action) => action.target === target);
  const [topics, subjects] = await Promise.all([
    changed('topics') ? orFailure(targets.topics.observe(desired)) : observed.topics,
    changed('subjects') ? orFailure(targets.subjects.observe(desired)) : observed.subjects,
  ]);
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
  return { ...known, deployments: deploymentsAfter(observed.workload, done), failures: all };
}

/** As the watch will show them: one that was just applied is not rolled out, whatever its status said before. */
function deploymentsAfter({ deployments }: Workload, done: Action[]): Deployment[] {
  const after = new Map(deployments.map((deployment) => [deployment.metadata.name, deployment]));
  for (const action of done) {
    if (action.target !== 'workers' || action.kind !== 'apply' || action.object.kind !== 'Deployment') continue;
    const { name } = action.object.metadata;
    const stored = after.get(name);
    const metadata = { ...action.object.metadata, generation: (stored?.metadata.generation ?? 0) + 1 };
    after.set(name, { ...action.object, metadata, ...(stored?.status && { status: stored.status }) });
  }
  return [...after.values()];
}

const unseen = { desired: null, topics: null, subjects: null };

/** Nothing writes any more when the feed is gone; topics and subjects stay. */
async function remove(key: string, feed: ExchangeFeed, memory: FeedMemory, parts: Parts): Promise<Outcome> {
  if (!feed.metadata.finalizers?.includes(finalizer)) return 'done';
  const { deployments } = parts.cache.workload(key);
  const isGone = deployments.length === 0 && parts.cache.pods(key).length === 0;
  memory.deletedMs ??= parts.nowMs();
  const isOverdue = parts.nowMs() - memory.deletedMs >= deletionMsMax;
  if (isGone || isOverdue) {
    if (isOverdue) parts.log.warn({ feed: key }, `workers are not gone after ${deletionMsMax} ms: the feed goes first`);
    await parts.writer.setFinalizer(feed, false);
    return 'done';
  }
  // Budgets hold up no deletion, and the cluster collects them with the feed.
  await Promise.all(deployments.filter((it) => !isEnding(it)).map((it) => parts.targets.workers.remove(it)));
  const failures = [
    new TargetError('Deleting', 'The feed is deleted once its workers have ended; topics and subjects stay'),
  ];
  await conclude(key, { ...unseen, feed, deployments, failures }, memory, parts);
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
  const reports = hear(await parts.workers.read(pods));
  noteOwnerless(reports, seen.feed, memory, parts.nowMs());
  const ownerless = ownerlessFor(memory, parts.nowMs());
  for (const { reason } of seen.failures) parts.metrics.failures.inc({ reason });
  const liveDue = parts.nowMs() >= memory.liveDueMs;
  const previous = memory.status;
  const status = describe({ ...seen, pods, reports, ownerless, previous, nowMs: parts.wallClockMs(), liveDue });
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

function noteOwnerless(reports: ShardReport[], feed: ExchangeFeed, memory: FeedMemory, nowMs: number): void {
  const { ownerlessSinceMs } = memory;
  const shards = ownerlessShards(reports, feed.spec.shards);
  memory.ownerlessSinceMs = new Map(shards.map((shard) => [shard, ownerlessSinceMs.get(shard) ?? nowMs]));
}

/** Shards that nobody has written for too long, counted from when that was first seen. */
function ownerlessFor({ ownerlessSinceMs }: FeedMemory, nowMs: number): number[] {
  return [...ownerlessSinceMs].filter(([, startMs]) => nowMs - startMs >= ownerlessMsMax).map(([shard]) => shard);
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
