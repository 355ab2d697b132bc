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
import { classOf, conditionOf, type Finding, type Reason, sentence, type TargetError } from './errors.ts';
import type { ObservedSubjects, ObservedTopics } from './plan.ts';
import { hear, judgeStreaming, type Streaming, type WorkerReport } from './streaming.ts';
import { judgeWorkers } from './workers.ts';
import type { Deployment, Pod } from './workload.ts';

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
  deployment: Deployment | null;
  pods: Pod[];
  reports: WorkerReport[];
  /** Wall clock, milliseconds since 1970. */
  nowMs: number;
  /** Whether live figures may be written; they are in any case when Ready flips. */
  liveDue: boolean;
}

export function describe(seen: Seen): ExchangeFeedStatus {
  const { feed, previous } = seen;
  const streaming = judgeStreaming(feed.spec.symbols, seen.reports, seen.pods.length);
  const completeness = judgeCompleteness(feed.spec.symbols, hear(seen.reports).statuses);
  const conditions = conditionsOf(seen, streaming, completeness);
  const ready = (status: ExchangeFeedStatus) => status.conditions?.find(({ type }) => type === 'Ready')?.status;
  const refreshLive = seen.liveDue || previous.live === undefined || ready(previous) !== ready({ conditions });
  const live = refreshLive ? liveOf(streaming, completeness, previous.live) : previous.live;
  const topics = topicsOf(seen) ?? previous.topics;
  const wanted = seen.deployment?.spec.replicas ?? 1;
  // During an update old and new workers are ready together.
  const readyWorkers = Math.min(seen.deployment?.status?.readyReplicas ?? 0, wanted);
  return {
    observedGeneration: feed.metadata.generation,
    conditions,
    symbols: feed.spec.symbols.length,
    workers: `${readyWorkers}/${wanted}`,
    ...(topics && { topics }),
    ...(streaming.refused.length > 0 && { refusedSymbols: streaming.refused }),
    ...(live && { live }),
  };
}

function conditionsOf(seen: Seen, streaming: Streaming, completeness: Completeness): Condition[] {
  const findings: Record<ConditionType, Finding> = {
    TopicsReady: judgeTopics(seen),
    SubjectsReady: judgeSubjects(seen),
    WorkersAvailable: failureOf(seen, 'WorkersAvailable') ?? judgeWorkers(seen.deployment, seen.pods),
    Streaming: streaming.finding,
    DataComplete: completeness.finding,
    Ready: { reason: 'FeedReady', seen: '' },
  };
  const blocking = conditionTypes.map((type) => findings[type]).find(({ reason }) => classOf(reason) !== 'healthy');
  findings.Ready = failureOf(seen, 'Ready') ?? blocking ?? { reason: 'FeedReady', seen: summary(seen) };
  return conditionTypes.map((type) => toCondition(type, findings[type], seen));
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
    const subject = desired?.subjects[index]?.name;
    if (subject === undefined) return [{ name, partitions }];
    const schemaId = subjects?.get(subject);
    return schemaId === undefined ? [] : [{ name, partitions, subject, schemaId }];
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
