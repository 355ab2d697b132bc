// The closed list of reasons: the same word goes into the condition, the log and the metric.
// docs/reference/errors.md lists them for people; a test holds list and page equal.
import type { ConditionType } from '../api/exchange-feed.ts';

/**
 * - `healthy`: as wanted, or nothing is known to be wrong.
 * - `progressing`: on the way, nothing to do; looked at again within seconds.
 * - `retryable`: tried again with backoff, recovers by itself once the cause is gone.
 * - `terminal`: no retry can cure it; looked at again when the feed changes, and every few minutes in case the cause
 *   went away.
 */
export type ReasonClass = 'healthy' | 'progressing' | 'retryable' | 'terminal';

interface ReasonFact {
  /** The condition that carries it; Ready repeats the first one that is not True. */
  condition: ConditionType;
  class: ReasonClass;
  /** What to do about it, one sentence; the end of the condition's message unless empty. */
  next: string;
}

export const reasons = {
  FeedReady: { condition: 'Ready', class: 'healthy', next: '' },
  UnknownExchange: {
    condition: 'Ready',
    class: 'terminal',
    next: 'Use an exchange that this version knows, or upgrade the controller.',
  },
  InvalidSpec: { condition: 'Ready', class: 'terminal', next: 'Correct the field and apply the feed again.' },
  Deleting: { condition: 'Ready', class: 'progressing', next: '' },

  TopicsInSync: { condition: 'TopicsReady', class: 'healthy', next: '' },
  TopicsPending: { condition: 'TopicsReady', class: 'progressing', next: '' },
  BrokerUnreachable: {
    condition: 'TopicsReady',
    class: 'retryable',
    next: "Check that the brokers run and that the feed's or the controller's bootstrap servers are right.",
  },
  TopicRefused: {
    condition: 'TopicsReady',
    class: 'retryable',
    next: 'Change the topic settings of the feed, or the broker so that it accepts them.',
  },
  PartitionShrinkRefused: {
    condition: 'TopicsReady',
    class: 'terminal',
    next: 'Set topics.partitions to what the topic has, or use another topic in a new feed.',
  },
  ReplicationChangeRefused: {
    condition: 'TopicsReady',
    class: 'terminal',
    next: "Reassign the topic's replicas with the broker's own tools, or use another topic in a new feed.",
  },
  CursorTopicRefused: {
    condition: 'TopicsReady',
    class: 'terminal',
    next: 'Delete the topic: it is made anew, and workers resume from the ends of the other topics.',
  },

  SubjectsRegistered: { condition: 'SubjectsReady', class: 'healthy', next: '' },
  SubjectsPending: { condition: 'SubjectsReady', class: 'progressing', next: '' },
  RegistryUnreachable: {
    condition: 'SubjectsReady',
    class: 'retryable',
    next: "Check that the registry runs and that the feed's or the controller's registry URL is right.",
  },
  SchemaIncompatible: {
    condition: 'SubjectsReady',
    class: 'terminal',
    next: 'Use other topic names in a new feed, or resolve the conflict in the registry; workers stay as they are.',
  },
  SchemaRefused: {
    condition: 'SubjectsReady',
    class: 'retryable',
    next: "Look into the registry's log; workers stay as they are.",
  },

  AllWorkersAvailable: { condition: 'WorkersAvailable', class: 'healthy', next: '' },
  WorkersPending: {
    condition: 'WorkersAvailable',
    class: 'progressing',
    next: 'They follow once topics and subjects are ready.',
  },
  WorkersStarting: { condition: 'WorkersAvailable', class: 'progressing', next: '' },
  WorkersUnschedulable: {
    condition: 'WorkersAvailable',
    class: 'retryable',
    next: "Make room on a node, or lower the feed's worker.resources.requests.",
  },
  ImagePullFailed: {
    condition: 'WorkersAvailable',
    class: 'retryable',
    next: "Check the image's name and that nodes may pull it.",
  },
  WorkerCrashing: {
    condition: 'WorkersAvailable',
    class: 'retryable',
    next: "Look into the worker's log with kubectl logs --previous.",
  },
  WorkersRefused: {
    condition: 'WorkersAvailable',
    class: 'retryable',
    next: 'Change what the API server objects to: the feed, a quota, or an object of the same name.',
  },

  AllSymbolsStreaming: { condition: 'Streaming', class: 'healthy', next: '' },
  NoWorker: { condition: 'Streaming', class: 'progressing', next: 'See WorkersAvailable.' },
  SymbolsPending: { condition: 'Streaming', class: 'progressing', next: '' },
  NotStreaming: {
    condition: 'Streaming',
    class: 'retryable',
    next: 'The worker keeps trying; look into its log if this lasts.',
  },
  NoOwner: {
    condition: 'Streaming',
    class: 'retryable',
    next: "Look into the workers' logs: they say what they wait for.",
  },
  SymbolsRefused: {
    condition: 'Streaming',
    class: 'retryable',
    next: 'Correct or remove them in spec.symbols, spelled as the exchange spells them.',
  },
  WorkerUnreachable: {
    condition: 'Streaming',
    class: 'retryable',
    next: 'Check that network policies let the controller reach port 8080 of the workers.',
  },

  NoTradeMissing: { condition: 'DataComplete', class: 'healthy', next: '' },
  NotProvable: { condition: 'DataComplete', class: 'healthy', next: '' },
  ProofPending: { condition: 'DataComplete', class: 'healthy', next: '' },
  GapsOpen: {
    condition: 'DataComplete',
    class: 'retryable',
    next: "The worker fetches them over the exchange's REST interface; look into its log if this lasts.",
  },
  TradesLost: {
    condition: 'DataComplete',
    class: 'terminal',
    next: "Note the bounds: the exchange's history does not have these trades.",
  },
} as const satisfies Record<string, ReasonFact>;

export type Reason = keyof typeof reasons;

export const classOf = (reason: Reason): ReasonClass => reasons[reason].class;
export const conditionOf = (reason: Reason): ConditionType => reasons[reason].condition;

/** A judgement of one condition: why, and what was seen. */
export interface Finding {
  reason: Reason;
  seen: string;
}

// The CRD allows 4,096 characters; a broker's or container's last words are cut where they are longest.
const messageCharactersMax = 1000;

/** A condition's message: what was seen, then what to do. */
export function sentence(reason: Reason, seen: string): string {
  const fact = seen.trim().slice(0, messageCharactersMax).replace(/\.$/, '');
  const { next } = reasons[reason];
  return next === '' ? `${fact}.` : `${fact}. ${next}`;
}

/** What a target says when it cannot be brought to what is desired; ends as a condition, not as a failed reconcile. */
export class TargetError extends Error {
  override readonly name = 'TargetError';
  readonly reason: Reason;

  /** @param seen what happened, in the other side's own words where it gave any */
  constructor(reason: Reason, seen: string, options?: ErrorOptions) {
    super(seen, options);
    this.reason = reason;
  }
}

/** What an error says; an aggregate says what its parts do. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const parts: unknown = 'errors' in error ? error.errors : [];
  if (Array.isArray(parts) && parts.length > 0) return [...new Set(parts.map(wordsOf))].join('; ');
  return error.message || error.name;
}
