// From what was seen to the status that a person reads. Pure. Nothing here depends on the order or number of
// reconciles, so an unchanged world gives an equal status, which is then not written.
import {
  type Condition,
  type ConditionType,
  conditionTypes,
  type ExchangeFeed,
  type ExchangeFeedStatus,
  topicContents,
} from '../api/exchange-feed.ts';
import { type Completeness, judgeCompleteness } from './completeness.ts';
import type { Desired } from './desired.ts';
import { classOf, conditionOf, type Finding, type Reason, sentence, type TargetError } from './errors.ts';
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
  /** Wall clock, milliseconds since 1970. */
  nowMs: number;
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
  const owners = seen.reports.flatMap((report) => report.owners ?? []);
  const completeness = judgeCompleteness(symbols, owners);
  const conditions = conditionsOf(seen, streaming, completeness);
  const refreshLive = seen.liveDue || previous.live === undefined || wasReady !== isReady({ conditions });
  const live = refreshLive ? liveOf(streaming, completeness, previous.live) : previous.live;
  const topics = topicsOf(seen) ?? previous.topics;
  const ready = countWorkers(standing(seen), 'readyReplicas').available;
  return {
    observedGeneration: feed.metadata.generation,
    conditions,
    symbols: symbols.length,
    workers: `${ready}/${shards * (1 + feed.spec.standbys)}`,
    shards: seen.deployments.length,
    selector: `${feedLabel}=${feed.metadata.name}`,
    ...(topics && { topics }),
    ...(streaming.refused.length > 0 && { refusedSymbols: streaming.refused }),
    ...(live && { live }),
  };
}

function conditionsOf(seen: Seen, streaming: Streaming, completeness: Completeness): Condition[] {
  const findings: Record<ConditionType, Finding> = {
    TopicsReady: judgeTopics(seen),
    SubjectsReady: judgeSubjects(seen),
    WorkersAvailable:
      failureOf(seen, 'WorkersAvailable') ?? judgeWorkers(seen.feed.spec.shards, standing(seen), seen.pods, seen.nowMs),
    Streaming: streaming.finding,
    DataComplete: completeness.finding,
    Ready: { reason: 'FeedReady', seen: '' },
  };
  const blocking = conditionTypes.map((type) => findings[type]).find(({ reason }) => classOf(reason) !== 'healthy');
  findings.Ready = failureOf(seen, 'Ready') ?? blocking ?? { reason: 'FeedReady', seen: summary(seen) };
  return conditionTypes.map((type) => toCondition(type, findings[type], seen));
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

function toCondition(type: ConditionType, { reason, seen: fact }: Finding, seen: Seen): Condition {
  const status = statusOf(reason);
  const previous = seen.previous.conditions?.find((condition) => condition.type === type);
  const now = new Date(seen.nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    type,
    status,
    reason,
    message: sentence(reason, fact),
    observedGeneration: seen.feed.metadata.generation,
    lastTransitionTime: previous?.status === status ? previous.lastTransitionTime : now,
  };
}

/** What was not looked at, or could not be, is neither right nor wrong. */
const unknownReasons: readonly Reason[] = [
  'TopicsPending',
  'SubjectsPending',
  'WorkerUnreachable',
  'NotProvable',
  'ProofPending',
];

function statusOf(reason: Reason): Condition['status'] {
  if (unknownReasons.includes(reason)) return 'Unknown';
  return classOf(reason) === 'healthy' ? 'True' : 'False';
}

function failureOf({ failures }: Seen, condition: ConditionType): Finding | undefined {
  const failure = failures.find(({ reason }) => conditionOf(reason) === condition);
  return failure && { reason: failure.reason, seen: failure.message };
}

function judgeTopics(seen: Seen): Finding {
  const failure = failureOf(seen, 'TopicsReady');
  if (failure) return failure;
  if (seen.desired === null || seen.topics === null) return { reason: 'TopicsPending', seen: 'Not looked at' };
  const missing = seen.desired.topics.filter(({ name }) => !seen.topics?.has(name)).map(({ name }) => name);
  if (missing.length > 0) return { reason: 'TopicsPending', seen: `Not there yet: ${missing.join(', ')}` };
  const names = seen.desired.topics.map(({ name }) => name);
  return { reason: 'TopicsInSync', seen: `As the feed wants them: ${names.join(', ')}` };
}

function judgeSubjects(seen: Seen): Finding {
  const failure = failureOf(seen, 'SubjectsReady');
  if (failure) return failure;
  if (seen.desired === null || seen.subjects === null) return { reason: 'SubjectsPending', seen: 'Not looked at' };
  const missing = seen.desired.subjects.filter(({ name }) => !seen.subjects?.has(name)).map(({ name }) => name);
  if (missing.length > 0) return { reason: 'SubjectsPending', seen: `Not registered yet: ${missing.join(', ')}` };
  const names = seen.desired.subjects.map(({ name }) => `${name} (schema id ${seen.subjects?.get(name)})`);
  return { reason: 'SubjectsRegistered', seen: `Registered: ${names.join(', ')}` };
}

function topicsOf({ desired, topics, subjects }: Seen): ExchangeFeedStatus['topics'] {
  const entries = (desired?.topics ?? []).flatMap(({ name }, index) => {
    const partitions = topics?.get(name)?.partitions;
    if (partitions === undefined) return [];
    const content = topicContents[index] ?? 'Cursors';
    const subject = desired?.subjects[index]?.name;
    if (subject === undefined) return [{ name, content, partitions }];
    const schemaId = subjects?.get(subject);
    return schemaId === undefined ? [] : [{ name, content, partitions, subject, schemaId }];
  });
  return entries.length === 0 ? undefined : entries;
}

/** A worker that was restarted, or is away, has no newer trade to tell of than the one before. */
function liveOf(
  streaming: Streaming,
  { share, gaps }: Completeness,
  previous: ExchangeFeedStatus['live'],
): ExchangeFeedStatus['live'] {
  if (streaming.live === null && previous === undefined) return undefined;
  const { tradesPerSecond, lastTradeTimeMs } = streaming.live ?? { tradesPerSecond: 0, lastTradeTimeMs: null };
  const newest = Math.max(lastTradeTimeMs ?? 0, Date.parse(previous?.lastTradeTime ?? '') || 0);
  return {
    tradesPerSecond,
    ...(newest > 0 && { lastTradeTime: new Date(newest).toISOString().replace(/\.\d+Z$/, 'Z') }),
    ...(share !== null && { completeness: share }),
    ...(gaps !== null && { gaps }),
  };
}
