// The file that knows the order: brings one feed to what it asks for, and says how far that got. Level-triggered: it
// starts from what is there now, never from what happened.
import { isDeepStrictEqual } from 'node:util';
import type { ExchangeFeed } from '../api/exchange-feed.ts';
import type { Logger } from '../runtime/log.ts';
import type { Access } from './access.ts';
import type { ControllerConfig } from './config.ts';
import { type Claims, conflictsOf, heldSymbols } from './conflicts.ts';
import { advanceDeletion, beginDeletion } from './deletion.ts';
import { type Desired, desire, type Schemas } from './desired.ts';
import { conditionOf, TargetError, wordsOf } from './errors.ts';
import type { WorkerReader } from './feeds.ts';
import { hold, isHeld } from './held.ts';
import type { Recorder } from './kube/events.ts';
import type { Outcome } from './kube/workers.ts';
import { hourAfter } from './last-hour.ts';
import { type FeedMemory, type Memory, recall } from './memory.ts';
import type { ControllerMetrics } from './metrics.ts';
import {
  deletionPollMs,
  driftLookMs,
  liveMs,
  lookAgainMs,
  ownerlessFor,
  ownerlessSince,
  settleMs,
  sharedLookMs,
} from './pace.ts';
import { type Action, type Observed, plan, refuseUnsettled } from './plan.ts';
import type { SecretReader } from './secrets.ts';
import { completenessOf, describe, type Seen } from './status.ts';
import { hear, ownerlessShards } from './streaming.ts';
import type { SubjectsTarget } from './targets/subjects.ts';
import type { TopicsTarget } from './targets/topics.ts';
import type { WorkersTarget } from './targets/workers.ts';
import { actionDone, adoption, readyTransition } from './transitions.ts';
import { type Deployment, isEnding, isPaused, type Pod, type Workload } from './workload.ts';

export const finalizer = 'feeds.k2.dev/workers';

/** What the watches last saw; keys are `namespace/name` of the feed. */
export interface Cache {
  feed(key: string): ExchangeFeed | null;
  /** What feeds ask for that others may ask for, too. */
  claims(): Claims;
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
  secrets: SecretReader;
  memory: Memory;
  metrics: ControllerMetrics;
  events: Recorder;
  log: Logger;
  /** Monotonic and wall clock, milliseconds. */
  nowMs: () => number;
  wallClockMs: () => number;
  /** A number in [0, 1). */
  random: () => number;
}

export async function reconcile(key: string, parts: Parts): Promise<Outcome> {
  const feed = parts.cache.feed(key);
  if (feed === null) {
    parts.memory.delete(key);
    return 'done';
  }
  const memory = recall(parts.memory, key, feed);
  if (feed.metadata.deletionTimestamp !== undefined) return remove(key, feed, memory, parts);

  const access = await orFailure(parts.secrets.read(feed));
  const desired = access instanceof TargetError ? access : accept(feed, access, parts);
  if (desired instanceof TargetError) return refuse(key, feed, [desired], memory, parts);
  const conflicts = await yieldTo(key, feed, parts);
  if (conflicts.length > 0) return refuse(key, feed, conflicts, memory, parts);
  if (!isHeld(feed)) await parts.writer.setFinalizer(feed, true);
  const observed = await observe(desired, memory, parts);
  const { actions, refusals } = plan(desired, observed);
  const { done, failures } = isHeld(feed)
    ? { done: [], failures: hold(actions) }
    : await apply(feed, desired, actions, parts);
  const reached = await verify(desired, observed, done, [...refusals, ...failures], memory, parts);
  return conclude(key, { feed, desired, ...reached }, memory, parts);
}

/** Refuses what the CRD's own rules cannot: they may be those of another version than this program. */
function accept(feed: ExchangeFeed, access: Access, { config, schemas }: Parts): Desired | TargetError {
  if (schemas.raw[feed.spec.exchange] === undefined) {
    const known = Object.keys(schemas.raw).join(', ');
    return new TargetError('UnknownExchange', `exchange "${feed.spec.exchange}" is not one of: ${known}`);
  }
  try {
    return desire(feed, config, schemas, access);
  } catch (error) {
    return new TargetError('InvalidSpec', wordsOf(error), { cause: error });
  }
}

/** Why another feed goes first; nothing is changed then, unless both write one symbol. */
async function yieldTo(key: string, feed: ExchangeFeed, { cache, targets }: Parts): Promise<TargetError[]> {
  const held = (of: string) => heldSymbols(cache.workload(of), cache.pods(of));
  const { failures, mustEnd } = conflictsOf(key, cache.claims(), held);
  if (mustEnd && !isHeld(feed)) await endWorkers(cache.workload(key), targets);
  return failures;
}

async function observe(desired: Desired, memory: FeedMemory, { targets, nowMs }: Parts): Promise<Observed> {
  const workload = await targets.workers.observe(desired.workload);
  const isHeldUp = ownerlessFor(memory.ownerlessSinceMs, nowMs()).length > 0;
  // Whoever has other credentials may see other things.
  if (memory.verified?.secrets !== desired.brokers.version) memory.verified = null;
  const { verified } = memory;
  if (verified !== null && nowMs() < verified.untilMs) return { ...verified, workload, isHeldUp };
  const ageMsMax = verified === null ? 0 : sharedLookMs;
  const [topics, subjects] = await Promise.all([
    orFailure(targets.topics.observe(desired, ageMsMax)),
    orFailure(targets.subjects.observe(desired, ageMsMax)),
  ]);
  return { topics, subjects, workload, isHeldUp };
}

/** In order; after a failure the workers are left as they are, unless they are to end. */
async function apply(feed: ExchangeFeed, desired: Desired, actions: Action[], parts: Parts) {
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
      parts.log.info({ feed: desired.workload.feedKey, target, kind }, 'applied');
      const event = actionDone(action);
      if (event) parts.events.record(feed, event);
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
  const isConfigured = done.some(({ kind }) => kind === 'configure') && !(topics instanceof TargetError);
  const unsettled = isConfigured ? refuseUnsettled(desired.topics, topics) : [];
  const all = [...failures, ...[topics, subjects].filter(isNew), ...unsettled];
  const known = {
    topics: topics instanceof TargetError ? null : topics,
    subjects: subjects instanceof TargetError ? null : subjects,
  };
  if (all.some(({ reason }) => conditionOf(reason) !== 'WorkersAvailable')) memory.verified = null;
  else if (known.topics && known.subjects && (memory.verified === null || nowMs() >= memory.verified.untilMs)) {
    const untilMs = nowMs() + driftLookMs(random());
    const secrets = desired.brokers.version;
    memory.verified = { topics: known.topics, subjects: known.subjects, secrets, untilMs };
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

const endWorkers = ({ deployments }: Workload, { workers }: Parts['targets']) =>
  Promise.all(deployments.filter((it) => !isEnding(it)).map(workers.remove));

/** Nothing is changed, so what runs goes on; only a feed that is paused has its workers ended all the same. */
async function refuse(key: string, feed: ExchangeFeed, failures: TargetError[], memory: FeedMemory, parts: Parts) {
  const workload = parts.cache.workload(key);
  if (feed.spec.state === 'Paused' && !isHeld(feed)) await endWorkers(workload, parts.targets);
  const { deployments } = workload;
  return conclude(key, { desired: null, topics: null, subjects: null, feed, deployments, failures }, memory, parts);
}

/** Step by step, so that nothing waits in here; the last step lets the feed go. */
async function remove(key: string, feed: ExchangeFeed, memory: FeedMemory, parts: Parts): Promise<Outcome> {
  if (!feed.metadata.finalizers?.includes(finalizer)) return 'done';
  memory.deletion ??= beginDeletion(parts.nowMs());
  const waiting = await advanceDeletion(key, feed, memory.deletion, parts);
  if (waiting === null) {
    await parts.writer.setFinalizer(feed, false);
    return 'done';
  }
  await refuse(key, feed, [new TargetError('Deleting', waiting)], memory, parts);
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
  const ownerlessNow = ownerlessShards(reports, seen.feed.spec.shards);
  memory.ownerlessSinceMs = ownerlessSince(memory.ownerlessSinceMs, ownerlessNow, parts.nowMs());
  const ownerless = ownerlessFor(memory.ownerlessSinceMs, parts.nowMs());
  for (const { reason } of seen.failures) parts.metrics.failures.inc({ reason });
  const liveDue = parts.nowMs() >= memory.liveDueMs;
  const previous = memory.status;
  const read = { reports, nowMs: parts.wallClockMs(), monotonicMs: parts.nowMs() };
  const { totals } = completenessOf({ ...seen, ...read });
  memory.hour = hourAfter(memory.hour, totals, previous.live?.completeness, read);
  const status = describe({ ...seen, ...read, pods, ownerless, previous, hour: memory.hour, liveDue });
  if (!isDeepStrictEqual(status, previous)) {
    await parts.writer.applyStatus(seen.feed, status);
    memory.status = status;
    if (liveDue) memory.liveDueMs = parts.nowMs() + liveMs;
    parts.metrics.statusWrites.inc();
  }
  const ready = status.conditions?.find(({ type }) => type === 'Ready');
  const before = previous.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.reason !== before?.reason) parts.log.info({ feed: key, reason: ready?.reason }, ready?.message ?? '');
  const events = [adoption(previous, status, seen.topics), readyTransition(before, ready)];
  for (const event of events) if (event) parts.events.record(seen.feed, event);
  memory.unreadyCount = ready?.status === 'True' ? 0 : memory.unreadyCount + 1;
  const requeueAfterMs = lookAgainMs(ready, before, seen.failures, memory.unreadyCount, parts.random());
  if (ready?.status === 'True' && before?.status !== 'True') memory.liveDueMs = parts.nowMs() + settleMs;
  return { requeueAfterMs };
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
