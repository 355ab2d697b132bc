// From what was seen to the status that a person reads. Pure. Nothing here depends on the order or number of
// reconciles, so an unchanged world gives an equal status, which is then not written.
import {
  type Condition,
  type ConditionType,
  conditionTypes,
  type ExchangeFeed,
  type ExchangeFeedStatus,
} from '../api/exchange-feed.ts';
import { type Completeness, judgeCompleteness } from './completeness.ts';
import type { Desired } from './desired.ts';
import { classOf, conditionOf, type Finding, type Reason, sentence, statusOf, type TargetError } from './errors.ts';
import { isHeld } from './held.ts';
import { keyOf } from './kube/object.ts';
import type { LastHour } from './last-hour.ts';
import { liveOf } from './live.ts';
import type { ObservedSubjects, ObservedTopics } from './plan.ts';
import { judgeStreaming, type ShardReport, type Streaming } from './streaming.ts';
import { countWorkers, judgeWorkers } from './workers.ts';
import { type Deployment, feedLabel, isEnding, type Pod } from './workload.ts';

export interface Seen {
  feed: ExchangeFeed;
  /** As last written; `{}` for a new feed. */
  previous: ExchangeFeedStatus;
  /** Null: the feed is not accepted, or is being deleted; `failures` says which. */
  desired: Desired | null;
  /** Null: not known. */
  topics: ObservedTopics | null;
  subjects: ObservedSubjects | null;
  /** What stood in the way, at most one for each condition counts. */
  failures: TargetError[];
  /** All that the feed has, those of shards on their way out included. */
  deployments: Deployment[];
  pods: Pod[];
  reports: ShardReport[];
  /** Shards that have had no owner for too long. */
  ownerless: readonly number[];
  /** What was counted in the last hour, this reading included; null: nothing was. */
  hour: LastHour | null;
  /** Wall clock, milliseconds since 1970; the monotonic one of `hour`. */
  nowMs: number;
  monotonicMs: number;
  /** Whether live figures may be written; they are in any case when Ready flips. */
  liveDue: boolean;
}

export function describe(seen: Seen): ExchangeFeedStatus {
  const { feed, previous } = seen;
  const { symbols, shards } = feed.spec;
  const isReady = (status: ExchangeFeedStatus) =>
    status.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
  const wasReady = isReady(previous);
  const streaming = judgeStreaming({ ...seen, symbols, shards, wasReady, podCount: seen.pods.length });
  const completeness = completenessOf(seen);
  const conditions = conditionsOf(seen, streaming, completeness);
  const refreshLive = seen.liveDue || previous.live === undefined || wasReady !== isReady({ conditions });
  const live = refreshLive ? liveOf(seen, streaming.live, completeness.totals) : previous.live;
  const topics = topicsOf(seen) ?? previous.topics;
  const ready = countWorkers(standing(seen), 'readyReplicas').available;
  const wanted = feed.spec.state === 'Paused' ? 0 : shards * (1 + feed.spec.standbys);
  return {
    observedGeneration: feed.metadata.generation,
    conditions,
    symbols: symbols.length,
    workers: `${ready}/${wanted}`,
    shards: seen.deployments.length,
    selector: `${feedLabel}=${feed.metadata.name}`,
    ...(topics && { topics }),
    ...(streaming.refused.length > 0 && { refusedSymbols: streaming.refused }),
    ...(live && { live }),
  };
}

/** What was lost is not told any more once the normalized topic would not hold it either. */
export function completenessOf(seen: Pick<Seen, 'feed' | 'desired' | 'reports' | 'nowMs'>): Completeness {
  const owners = seen.reports.flatMap((report) => report.owners ?? []);
  const normalized = seen.desired?.topics.find(({ content }) => content === 'Normalized');
  const retentionMs = Number(normalized?.config['retention.ms'] ?? Number.POSITIVE_INFINITY);
  return judgeCompleteness(seen.feed.spec.symbols, owners, seen.nowMs - retentionMs);
}

function conditionsOf(seen: Seen, streaming: Streaming, completeness: Completeness): Condition[] {
  const isPaused = seen.feed.spec.state === 'Paused';
  const findings: Record<ConditionType, Finding> = {
    TopicsReady: judgeTopics(seen),
    SubjectsReady: judgeSubjects(seen),
    WorkersAvailable:
      failureOf(seen, 'WorkersAvailable') ?? judgeWorkers(seen.feed.spec.shards, standing(seen), seen.pods, seen.nowMs),
    Streaming: isPaused ? { reason: 'StreamingPaused', seen: `${keyOf(seen.feed)} is paused` } : streaming.finding,
    DataComplete: completeness.finding,
    Ready: { reason: 'FeedReady', seen: '' },
  };
  const blocking = conditionTypes.map((type) => findings[type]).find(({ reason }) => classOf(reason) !== 'healthy');
  const resting: Finding = isPaused
    ? { reason: 'Paused', seen: `${keyOf(seen.feed)} is paused, and writes nothing` }
    : { reason: 'FeedReady', seen: summary(seen) };
  findings.Ready = failureOf(seen, 'Ready') ?? blocking ?? resting;
  const conditions = conditionTypes.map((type) => toCondition(type, findings[type], seen));
  return [...conditions, ...passingConditions(findings.Ready, seen)];
}

/**
 * Present only while True. Of the two of kstatus at most one is, and says what Ready says: a tool that takes the first
 * it finds finds the same. https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
 */
function passingConditions(ready: Finding, seen: Seen): Condition[] {
  const { feed } = seen;
  const paused: Finding[] = [];
  if (isHeld(feed)) paused.push({ reason: 'ReconciliationPaused', seen: `Nothing of ${keyOf(feed)} is changed` });
  else if (feed.spec.state === 'Paused') {
    paused.push({ reason: 'StatePaused', seen: `${keyOf(feed)} is to have no workers` });
  }
  const kind = classOf(ready.reason);
  return [
    ...paused.map((finding) => toCondition('Paused', finding, seen)),
    ...(kind === 'progressing' || kind === 'retryable' ? [toCondition('Reconciling', ready, seen)] : []),
    ...(kind === 'terminal' ? [toCondition('Stalled', ready, seen)] : []),
  ];
}

/** The Deployments that should stay; of a feed that is not accepted, or is being deleted, all. */
function standing({ desired, deployments }: Seen): Deployment[] {
  if (desired === null) return deployments;
  const names = desired.workload.deployments.map(({ metadata }) => metadata.name);
  return deployments.filter((it) => names.includes(it.metadata.name) && !isEnding(it));
}

function summary({ feed, desired }: Seen): string {
  const count = feed.spec.symbols.length;
  const [raw, normalized] = desired?.topics ?? [];
  const into = `${raw?.name} and ${normalized?.name}`;
  return count === 1 ? `1 symbol streams into ${into}` : `${count} symbols stream into ${into}`;
}

function toCondition(type: Condition['type'], { reason, seen: fact }: Finding, seen: Seen): Condition {
  const isPassing = type === 'Reconciling' || type === 'Stalled';
  const status = isPassing ? 'True' : statusOf(reason);
  const previous = seen.previous.conditions?.find((condition) => condition.type === type);
  // The API server's own default has no generation, and the time of nobody.
  const isSame = previous?.status === status && previous.observedGeneration !== undefined;
  const now = new Date(seen.nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    type,
    status,
    reason,
    message: sentence(reason, fact),
    observedGeneration: seen.feed.metadata.generation,
    lastTransitionTime: isSame ? previous.lastTransitionTime : now,
  };
}

function failureOf({ failures }: Seen, condition: ConditionType): Finding | undefined {
  const failure = failures.find(({ reason }) => conditionOf(reason) === condition);
  return failure && { reason: failure.reason, seen: failure.message };
}

function judgeTopics(seen: Seen): Finding {
  const failure = failureOf(seen, 'TopicsReady');
  if (failure) return failure;
  if (seen.desired === null || seen.topics === null) return notLookedAt('TopicsPending', 'topics', seen);
  const missing = seen.desired.topics.filter(({ name }) => !seen.topics?.has(name)).map(({ name }) => name);
  if (missing.length > 0) return { reason: 'TopicsPending', seen: `Not there yet: ${missing.join(', ')}` };
  const names = seen.desired.topics.map(({ name }) => name);
  const adopted = names.filter((name) => seen.topics?.get(name)?.isAdopted);
  const before = adopted.length === 0 ? '' : `; existed before this operator used it: ${adopted.join(', ')}`;
  return { reason: 'TopicsInSync', seen: `As the feed wants them: ${names.join(', ')}${before}` };
}

function judgeSubjects(seen: Seen): Finding {
  const failure = failureOf(seen, 'SubjectsReady');
  if (failure) return failure;
  if (seen.desired === null || seen.subjects === null) return notLookedAt('SubjectsPending', 'subjects', seen);
  const missing = seen.desired.subjects.filter(({ name }) => !seen.subjects?.has(name)).map(({ name }) => name);
  if (missing.length > 0) return { reason: 'SubjectsPending', seen: `Not registered yet: ${missing.join(', ')}` };
  const names = seen.desired.subjects.map(({ name }) => `${name} (schema id ${seen.subjects?.get(name)})`);
  return { reason: 'SubjectsRegistered', seen: `Registered: ${names.join(', ')}` };
}

const notLookedAt = (reason: Reason, what: string, { feed }: Seen): Finding => {
  return { reason, seen: `The ${what} of ${keyOf(feed)} were not looked at` };
};

function topicsOf({ desired, topics, subjects }: Seen): ExchangeFeedStatus['topics'] {
  const entries = (desired?.topics ?? []).flatMap(({ name, content }, index) => {
    const partitions = topics?.get(name)?.partitions;
    if (partitions === undefined) return [];
    const subject = desired?.subjects[index]?.name;
    if (subject === undefined) return [{ name, content, partitions }];
    const schemaId = subjects?.get(subject);
    return schemaId === undefined ? [] : [{ name, content, partitions, subject, schemaId }];
  });
  return entries.length === 0 ? undefined : entries;
}
