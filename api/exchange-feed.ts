// The ExchangeFeed resource as the API server stores it. Defaults are the CRD's (crds/exchange-feed.yaml), so fields
// that have one are never absent here. test/api/exchange-feed.test.ts holds these types and the CRD equal.

export const group = 'feeds.k2.dev';
export const version = 'v1alpha1';
export const kind = 'ExchangeFeed';
export const plural = 'exchangefeeds';

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
}

export const deliveries = ['ExactlyOnce', 'AtLeastOnce'] as const;
export type Delivery = (typeof deliveries)[number];

export interface ExchangeFeedSpec {
  /** Exchange id, a key of worker/exchanges/index.ts. Immutable. */
  exchange: string;
  /** Symbols as the exchange spells them: 1 to 1,000, unique. */
  symbols: string[];
  /** Whether everything is written in transactions. Can be lowered, never raised. */
  delivery: Delivery;
  /** Deployments over which the symbols are spread: 1 to 16, at most as many as symbols. */
  shards: number;
  /** Workers of each shard that wait beside the one that writes: 0 or 1; only with `ExactlyOnce`. */
  standbys: number;
  /** Other regions' hosts, or a simulator; absent: the exchange's public hosts. */
  endpoint?: { webSocketUrl?: string; restUrl?: string };
  /** Absent: the broker of the controller's own configuration. */
  kafka?: { bootstrapServers?: string };
  /** Absent: the registry of the controller's own configuration. */
  schemaRegistry?: { url?: string };
  topics: { partitions: number; replicationFactor: number; raw: TopicSpec; normalized: TopicSpec };
  worker?: { image?: string; resources?: ResourceRequirements };
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
  type: ConditionType;
  status: ConditionStatus;
  reason: string;
  message: string;
  observedGeneration: number;
  /** RFC 3339, whole seconds; moves only when `status` does. */
  lastTransitionTime: string;
}

export const conditionTypes = [
  'Ready',
  'TopicsReady',
  'SubjectsReady',
  'WorkersAvailable',
  'Streaming',
  'DataComplete',
] as const;
export type ConditionType = (typeof conditionTypes)[number];

export interface TopicStatus {
  name: string;
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
    /** Trades written of trades made, rounded down: `99.98%`; `unknown`: ids prove nothing. Absent: nobody says. */
    completeness?: string;
    /** Gaps in the trade ids, open and lost, at most 20 of each symbol. Absent: nobody says. */
    gaps?: number;
  };
}

export interface ExchangeFeed {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec: ExchangeFeedSpec;
  status?: ExchangeFeedStatus;
}
