// The closed list of reasons: the same word goes into the condition, the log and the metric.
// docs/reference/errors.md lists them for people; a test holds list and page equal.
import type { ConditionStatus, ConditionType, PassingConditionType } from '../api/exchange-feed.ts';

/**
 * - `healthy`: as wanted, or nothing is known to be wrong.
 * - `progressing`: transient; on the way, nothing to do; looked at again within seconds.
 * - `retryable`: transient; tried again with backoff, recovers by itself once the cause is gone.
 * - `terminal`: no retry can cure it; looked at again when the feed changes, and every few minutes in case the cause
 *   went away.
 */
export type ReasonClass = 'healthy' | 'progressing' | 'retryable' | 'terminal';

interface ReasonFact {
  /** The condition that carries it; Ready repeats the first one that is not True. */
  condition: ConditionType | PassingConditionType;
  class: ReasonClass;
  /** Absent: True where healthy, else False. Unknown: it was not looked at, or cannot be. */
  status?: ConditionStatus;
  /** What to do about it, one sentence; the end of the condition's message unless empty. */
  next: string;
}

export const reasons = {
  FeedReady: { condition: 'Ready', class: 'healthy', next: '' },
  /** The CRD's default: docs and tools must know it, though nothing here gives it. */
  Pending: { condition: 'Ready', class: 'progressing', status: 'Unknown', next: '' },
  UnknownExchange: {
    condition: 'Ready',
    class: 'terminal',
    next: 'Use an exchange that this version knows, or upgrade the controller.',
  },
  InvalidSpec: { condition: 'Ready', class: 'terminal', next: 'Correct the field and apply the feed again.' },
  SecretMissing: {
    condition: 'Ready',
    class: 'retryable',
    next: "Create the Secret in the feed's namespace: it is seen at once; workers that run stay as they are.",
  },
  SecretInvalid: {
    condition: 'Ready',
    class: 'terminal',
    next: 'Correct the Secret: it is read again at once; workers that run stay as they are.',
  },
  Paused: {
    condition: 'Ready',
    class: 'healthy',
    status: 'False',
    next: 'Set spec.state to Running to stream again.',
  },
  ChangesHeld: {
    condition: 'Ready',
    class: 'healthy',
    status: 'False',
    next: 'Remove the annotation feeds.k2.dev/pause-reconciliation to have them made.',
  },
  Deleting: { condition: 'Ready', class: 'progressing', next: '' },

  TopicsInSync: { condition: 'TopicsReady', class: 'healthy', next: '' },
  TopicsPending: { condition: 'TopicsReady', class: 'progressing', status: 'Unknown', next: '' },
  BrokerUnreachable: {
    condition: 'TopicsReady',
    class: 'retryable',
    next: "Check that the brokers run and that the feed's or the controller's bootstrap servers are right.",
  },
  AuthFailed: {
    condition: 'TopicsReady',
    class: 'retryable',
    next: "Correct the Secret of kafka.authSecretRef or kafka.tls, or the user's rights at the broker.",
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
    next: "Set topics.replicationFactor to what the topic has, or reassign its replicas with the broker's own tools.",
  },
  CursorTopicRefused: {
    condition: 'TopicsReady',
    class: 'terminal',
    next: 'Delete the topic: it is made anew, and workers resume from the ends of the other topics.',
  },
  TopicConflict: {
    condition: 'TopicsReady',
    class: 'terminal',
    next: 'Give both feeds the same topic settings, or this one other topic names in a new feed.',
  },
  SymbolConflict: {
    condition: 'TopicsReady',
    class: 'terminal',
    next: 'Take the symbols out of one of the feeds, or use other topic names in a new feed.',
  },

  SubjectsRegistered: { condition: 'SubjectsReady', class: 'healthy', next: '' },
  SubjectsPending: { condition: 'SubjectsReady', class: 'progressing', status: 'Unknown', next: '' },
  RegistryUnreachable: {
    condition: 'SubjectsReady',
    class: 'retryable',
    next: "Check that the registry runs and that the feed's or the controller's registry URL is right.",
  },
  RegistryAuthFailed: {
    condition: 'SubjectsReady',
    class: 'retryable',
    next: "Correct the Secret of schemaRegistry.authSecretRef, or the user's rights at the registry.",
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
  WorkersPending: { condition: 'WorkersAvailable', class: 'progressing', next: '' },
  WorkersPaused: { condition: 'WorkersAvailable', class: 'healthy', status: 'False', next: '' },
  WorkersStarting: { condition: 'WorkersAvailable', class: 'progressing', next: '' },
  WorkersNotReady: {
    condition: 'WorkersAvailable',
    class: 'retryable',
    next: 'The condition Streaming says what it waits for.',
  },
  WorkersUnschedulable: {
    condition: 'WorkersAvailable',
    class: 'retryable',
    next: "Make room on a node, or ask for less in the feed's worker: resources.requests, nodeSelector, affinity.",
  },
  ImagePullFailed: {
    condition: 'WorkersAvailable',
    class: 'retryable',
    next: "Check the image's name, and that nodes may pull it with the pull secrets of the default service account.",
  },
  WorkerCannotStart: {
    condition: 'WorkersAvailable',
    class: 'retryable',
    next: "Correct what the node objects to: a Secret or ConfigMap that is missing, or the image's user or command.",
  },
  WorkerCrashing: {
    condition: 'WorkersAvailable',
    class: 'retryable',
    next: "Look into the worker's log with kubectl logs --previous.",
  },
  WorkerOutOfMemory: {
    condition: 'WorkersAvailable',
    class: 'retryable',
    next: "Raise the feed's worker.resources.limits.memory, or spread its symbols over more shards.",
  },
  QuotaExceeded: {
    condition: 'WorkersAvailable',
    class: 'retryable',
    next: "Raise the namespace's ResourceQuota or ask for less in the feed; an update needs one worker more per shard.",
  },
  WorkersRefused: {
    condition: 'WorkersAvailable',
    class: 'retryable',
    next: 'Change what the API server objects to: the feed, a rule of the namespace, or an object of the same name.',
  },
  ProgressDeadlineExceeded: {
    condition: 'WorkersAvailable',
    class: 'terminal',
    next: 'Look at the pods of this Deployment, and their events, with kubectl describe.',
  },

  AllSymbolsStreaming: { condition: 'Streaming', class: 'healthy', next: '' },
  StreamingPaused: { condition: 'Streaming', class: 'healthy', status: 'False', next: '' },
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
  SymbolsSilent: {
    condition: 'Streaming',
    class: 'retryable',
    next: 'The worker fetches their trades over REST and subscribes anew; look into its log if this lasts.',
  },
  SymbolsRefused: {
    condition: 'Streaming',
    class: 'terminal',
    next: 'Correct or remove them in spec.symbols, spelled as the exchange spells them.',
  },
  WorkerUnreachable: {
    condition: 'Streaming',
    class: 'retryable',
    status: 'Unknown',
    next: 'Check that network policies let the controller reach port 8080 of the workers.',
  },

  NoTradeMissing: { condition: 'DataComplete', class: 'healthy', next: '' },
  NotProvable: { condition: 'DataComplete', class: 'healthy', status: 'Unknown', next: '' },
  ProofPending: { condition: 'DataComplete', class: 'healthy', status: 'Unknown', next: '' },
  GapsOpen: {
    condition: 'DataComplete',
    class: 'retryable',
    next: "The worker fetches them over the exchange's REST interface; look into its log if this lasts.",
  },
  TradesLost: {
    condition: 'DataComplete',
    class: 'terminal',
    next: "Note the bounds: the exchange's history does not have these trades. It ends with the topic's retention.",
  },

  StatePaused: { condition: 'Paused', class: 'healthy', next: 'Topics, subjects and cursors stay.' },
  ReconciliationPaused: {
    condition: 'Paused',
    class: 'healthy',
    next: 'Remove the annotation feeds.k2.dev/pause-reconciliation to end it.',
  },
} as const satisfies Record<string, ReasonFact>;

export type Reason = keyof typeof reasons;

const factOf = (reason: Reason): ReasonFact => reasons[reason];
export const classOf = (reason: Reason): ReasonClass => factOf(reason).class;
export const conditionOf = (reason: Reason): ReasonFact['condition'] => factOf(reason).condition;
export const statusOf = (reason: Reason): ConditionStatus =>
  factOf(reason).status ?? (classOf(reason) === 'healthy' ? 'True' : 'False');

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
