// The ExchangeFeed resource as the API server stores it. Defaults are the CRD's (crds/exchange-feed.yaml), so fields
// that have one are never absent here. test/api/exchange-feed.test.ts holds these types and the CRD equal.
import type { Affinity, Toleration, TopologySpreadConstraint } from './scheduling.ts';

export const group = 'feeds.k2.dev';
export const version = 'v1alpha1';
export const kind = 'ExchangeFeed';
export const plural = 'exchangefeeds';

/** `"true"`: the controller changes nothing of the feed, except that it still deletes it when asked. */
export const pauseReconciliationAnnotation = 'feeds.k2.dev/pause-reconciliation';
/** Copied into the pod template, so that a new value, whatever it is, replaces the workers. */
export const restartAnnotation = 'feeds.k2.dev/restart';

export interface ObjectMeta {
  name: string;
  namespace: string;
  uid: string;
  generation: number;
  resourceVersion: string;
  creationTimestamp: string;
  deletionTimestamp?: string;
  finalizers?: string[];
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

export interface TopicSpec {
  /** Kafka topic name; absent: `market.crypto.trades.<exchange>` (normalized) or the same with `.raw`. */
  name?: string;
  /** How long records are kept, as a Go duration: `168h`. */
  retention: string;
  /** Kafka's topic settings by Kafka's names: a value is enforced, null is left as it is on the broker. */
  config?: Record<string, string | null>;
}

/** A Secret in the feed's own namespace. */
export interface SecretRef {
  name: string;
}

export const states = ['Running', 'Paused'] as const;
export type State = (typeof states)[number];

export const deliveries = ['ExactlyOnce', 'AtLeastOnce'] as const;
export type Delivery = (typeof deliveries)[number];

export const deletionPolicies = ['Retain', 'Delete'] as const;
export type DeletionPolicy = (typeof deletionPolicies)[number];

export interface ExchangeFeedSpec {
  /** Exchange id, a key of worker/exchanges/index.ts. Immutable. */
  exchange: string;
  /** Symbols as the exchange spells them: 1 to 1,000, unique. */
  symbols: string[];
  /** Paused: no workers; topics, subjects and cursors stay. */
  state: State;
  /** Whether everything is written in transactions. Can be lowered, never raised. */
  delivery: Delivery;
  /** Deployments over which the symbols are spread: 1 to 16, at most as many as symbols. */
  shards: number;
  /** Workers of each shard that wait beside the one that writes: 0 or 1; only with `ExactlyOnce`. */
  standbys: number;
  /** Other regions' hosts, or a simulator; absent: the exchange's public hosts. */
  endpoint?: { webSocketUrl?: string; restUrl?: string };
  kafka?: KafkaSpec;
  schemaRegistry?: SchemaRegistrySpec;
  topics: { partitions: number; replicationFactor: number; raw: TopicSpec; normalized: TopicSpec };
  worker?: WorkerSpec;
  /** What becomes of the topics and subjects that were made for this feed once it is deleted. */
  deletionPolicy: DeletionPolicy;
}

export interface KafkaSpec {
  /** `host:port`, separated by commas. Absent: the brokers of the controller's own configuration. */
  bootstrapServers?: string;
  /** Keys `username`, `password` and, if not SCRAM-SHA-512, `mechanism`: PLAIN, SCRAM-SHA-256. Absent: no SASL. */
  authSecretRef?: SecretRef;
  /** Present, if only as `{}`: connections are encrypted. */
  tls?: {
    /** Key `ca.crt`. Absent: the certificate authorities of the system. */
    caSecretRef?: SecretRef;
    /** Keys `tls.crt` and `tls.key`. Absent: no client certificate. */
    certificateSecretRef?: SecretRef;
  };
}

export interface SchemaRegistrySpec {
  /** Base URL. Absent: the registry of the controller's own configuration. */
  url?: string;
  /** Keys `username` and `password`. Absent: no authentication. */
  authSecretRef?: SecretRef;
  /** For an `https:` URL. */
  tls?: {
    /** Key `ca.crt`. Absent: the certificate authorities of the system. */
    caSecretRef?: SecretRef;
  };
}

/** Where the controller's defaults do not fit. */
export interface WorkerSpec {
  image?: string;
  resources?: ResourceRequirements;
  nodeSelector?: Record<string, string>;
  tolerations?: Toleration[];
  affinity?: Affinity;
  /** Absent: workers of one shard are spread over nodes where that is possible. Empty: nothing is. */
  topologySpreadConstraints?: TopologySpreadConstraint[];
  priorityClassName?: string;
  podAnnotations?: Record<string, string>;
  podLabels?: Record<string, string>;
}

/** A Kubernetes quantity: `500m`, `512Mi`, or a whole number. */
export type Quantity = string | number;

export interface ResourceRequirements {
  limits?: { cpu?: Quantity; memory?: Quantity };
  requests?: { cpu?: Quantity; memory?: Quantity };
}

export type ConditionStatus = 'True' | 'False' | 'Unknown';

/** `metav1.Condition`. https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties */
export interface Condition {
  type: ConditionType | PassingConditionType;
  status: ConditionStatus;
  reason: string;
  message: string;
  observedGeneration: number;
  /** RFC 3339, whole seconds; moves only when `status` does. */
  lastTransitionTime: string;
}

/** Every feed that was looked at has all of these, in this order; Ready sums up the others. */
export const conditionTypes = [
  'Ready',
  'TopicsReady',
  'SubjectsReady',
  'WorkersAvailable',
  'Streaming',
  'DataComplete',
] as const;
export type ConditionType = (typeof conditionTypes)[number];

/**
 * There only while they are True. The latter two are those of kstatus, by which `helm --wait` and GitOps tools judge:
 * https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
 */
export const passingConditionTypes = ['Paused', 'Reconciling', 'Stalled'] as const;
export type PassingConditionType = (typeof passingConditionTypes)[number];

export const topicContents = ['Raw', 'Normalized', 'DeadLetters', 'Cursors'] as const;
export type TopicContent = (typeof topicContents)[number];

export interface TopicStatus {
  name: string;
  content: TopicContent;
  partitions: number;
  /** The subject of the topic's values, and the registry's id of the schema; dead letters and cursors have neither. */
  subject?: string;
  schemaId?: number;
}

export interface ExchangeFeedStatus {
  observedGeneration?: number;
  conditions?: Condition[];
  /** Symbols asked for, a count. */
  symbols?: number;
  /** `<ready>/<wanted>` workers of all shards. */
  workers?: string;
  /** Shards that have workers, a count; `status.replicas` of the scale subresource. */
  shards?: number;
  /** Label selector of the feed's pods, as the scale subresource wants it: one string. */
  selector?: string;
  topics?: TopicStatus[];
  /** Symbols that the exchange does not stream, in the exchange's words; at most 20 are listed. */
  refusedSymbols?: { symbol: string; message: string }[];
  live?: {
    /** Over the worker's last 10 s, rounded. */
    tradesPerSecond: number;
    /** Exchange time of the newest trade, RFC 3339; absent before the first. */
    lastTradeTime?: string;
    /**
     * Trades written of trades made in the last hour, rounded down: `99.98%`; `unknown`: ids prove nothing. Absent:
     * nobody says, or there was no trade yet.
     */
    completeness?: string;
    /** The same since the feed's first trade; with `AtLeastOnce`, since the workers' start. */
    completenessSinceStart?: string;
    /** Gaps in the trade ids, open and lost, at most 20 of each symbol. Absent: nobody says. */
    gaps?: number;
    /** Since then, counts of trades: missing; fetched over REST; not written because they came again. */
    missing?: number;
    repaired?: number;
    duplicates?: number;
  };
}

export interface ExchangeFeed {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec: ExchangeFeedSpec;
  status?: ExchangeFeedStatus;
}
