// From a feed and the controller's configuration to what should exist outside: topics, subjects, workload. Pure: the
// same feed gives the same answer, whatever exists already.
import type { ExchangeFeed, TopicContent, TopicSpec } from '../api/exchange-feed.ts';
import { type Access, type Brokers, brokersOf, openAccess, type RegistryPlace, registryOf } from './access.ts';
import type { ControllerConfig } from './config.ts';
import { type WorkerAddresses, workerBudget, workerDeployment } from './deployment.ts';
import { spread } from './shards.ts';
import type { Workload } from './workload.ts';

export interface Topic {
  name: string;
  content: TopicContent;
  partitions: number;
  replicationFactor: number;
  /** By Kafka's names; set right when they differ. */
  config: Readonly<Record<string, string>>;
  /** Counts when the topic is made; what somebody sets later stays. */
  initialConfig: Readonly<Record<string, string>>;
}

export interface Subject {
  name: string;
  /** Text of an Avro schema. */
  schema: string;
}

export interface Desired {
  brokers: Brokers;
  registry: RegistryPlace;
  /** Raw, normalized, dead letters; with delivery ExactlyOnce cursors, too. */
  topics: Topic[];
  /** Of the first two: a dead letter is what has no schema. */
  subjects: Subject[];
  workload: DesiredWorkload;
}

export interface DesiredWorkload extends Workload {
  /** `namespace/name` of the feed. */
  feedKey: string;
  feedUid: string;
}

/** Texts of the schemas in the image. */
export interface Schemas {
  normalized: string;
  /** By exchange id. */
  raw: Readonly<Record<string, string>>;
}

/** @throws Error when the spec has what the CRD does not let through, or its exchange has no schema */
export function desire(
  feed: ExchangeFeed,
  config: ControllerConfig,
  schemas: Schemas,
  access: Access = openAccess,
): Desired {
  const { exchange } = feed.spec;
  const rawSchema = schemas.raw[exchange];
  if (rawSchema === undefined) throw new Error(`exchange "${exchange}" has no schema`);
  const topics = desireTopics(feed);
  const { rawName, normalizedName, deadLetterName } = topicNames(feed);
  const bootstrapServers = serversOf(feed, config);
  const schemaRegistryUrl = feed.spec.schemaRegistry?.url ?? config.schemaRegistryUrl;
  return {
    brokers: brokersOf(feed, bootstrapServers, access),
    registry: registryOf(feed, schemaRegistryUrl, access),
    topics,
    subjects: [
      { name: subjectOf(rawName), schema: rawSchema },
      { name: subjectOf(normalizedName), schema: schemas.normalized },
    ],
    workload: desireWorkload(feed, config, {
      access,
      bootstrapServers,
      schemaRegistryUrl,
      rawName,
      normalizedName,
      deadLetterName,
      cursorsName: topics.find(({ content }) => content === 'Cursors')?.name,
    }),
  };
}

export const serversOf = ({ spec }: ExchangeFeed, config: Pick<ControllerConfig, 'bootstrapServers'>): string[] =>
  spec.kafka?.bootstrapServers?.split(',') ?? config.bootstrapServers;

/** @throws Error when a retention is not a duration */
export function desireTopics(feed: ExchangeFeed): Topic[] {
  const { delivery, topics } = feed.spec;
  const { rawName, normalizedName, deadLetterName } = topicNames(feed);
  const topic = (content: TopicContent, name: string, field: 'raw' | 'normalized'): Topic => ({
    name,
    content,
    partitions: topics.partitions,
    replicationFactor: topics.replicationFactor,
    config: enforced(`topics.${field}.retention`, topics[field]),
    initialConfig: {},
  });
  return [
    topic('Raw', rawName, 'raw'),
    topic('Normalized', normalizedName, 'normalized'),
    // Frames, too, and as large: what holds for the raw topic holds for them.
    topic('DeadLetters', deadLetterName, 'raw'),
    ...(delivery === 'ExactlyOnce' ? [cursorTopic(feed)] : []),
  ];
}

function topicNames({ spec: { exchange, topics } }: ExchangeFeed) {
  const rawName = topics.raw.name ?? `market.crypto.trades.${exchange}.raw`;
  const normalizedName = topics.normalized.name ?? `market.crypto.trades.${exchange}`;
  return { rawName, normalizedName, deadLetterName: `${rawName}.dlq` };
}

/** What is set right on the broker; a setting that the feed gives as null is not, be it one of ours. */
function enforced(field: string, { retention, config = {} }: TopicSpec): Record<string, string> {
  const wanted = { 'retention.ms': String(parseDurationMs(field, retention)), ...config };
  return Object.fromEntries(Object.entries(wanted).flatMap(([name, value]) => (value === null ? [] : [[name, value]])));
}

function desireWorkload(feed: ExchangeFeed, config: ControllerConfig, addresses: WorkerAddresses): DesiredWorkload {
  const { metadata, spec } = feed;
  const shards = spread(spec.symbols, spec.shards).map((symbols, index) => ({ index, symbols }));
  return {
    feedKey: `${metadata.namespace}/${metadata.name}`,
    feedUid: metadata.uid,
    deployments: shards.map((shard) => workerDeployment(feed, shard, config, addresses)),
    // For a single worker it could only hold up every drain, or do nothing; for none there is nothing to do.
    budgets: spec.standbys === 0 || spec.state === 'Paused' ? [] : shards.map((shard) => workerBudget(feed, shard)),
  };
}

/**
 * Of all feeds of an exchange, whatever their other topics are called. Whoever starts reads it from its beginning, so
 * it is kept short: https://kafka.apache.org/documentation/#topicconfigs
 */
function cursorTopic({ spec: { exchange, topics } }: ExchangeFeed): Topic {
  return {
    name: `market.crypto.cursors.${exchange}`,
    content: 'Cursors',
    // One order for all that is written.
    partitions: 1,
    replicationFactor: topics.replicationFactor,
    // Deleting by age would take the cursors of quiet symbols away, and with them what is known to be missing.
    config: { 'cleanup.policy': 'compact' },
    initialConfig: {
      // The newest segment is not compacted: 4 MiB, or 10 minutes, the least that Redpanda takes.
      'segment.bytes': String(4 * 1024 * 1024),
      'segment.ms': '600000',
      // Compacted as soon as one segment is closed: what stays of it is a few records for each symbol.
      'min.cleanable.dirty.ratio': '0.1',
      // The end of each transaction is a record, too, and stays this long: by default for a day, which is millions.
      'delete.retention.ms': '300000',
    },
  };
}

/** The registry's subject of a topic's values. https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#subject-name-strategy */
export const subjectOf = (topic: string): string => `${topic}-value`;

/**
 * Milliseconds of a Go duration of hours, minutes and seconds, such as `168h` or `1h30m`.
 * @param field where it stands, for the message
 * @throws Error that names field and value, and what would be right
 */
export function parseDurationMs(field: string, duration: string): number {
  const parts = /^(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?$/.exec(duration);
  if (parts === null || duration === '') {
    throw new Error(
      `${field} "${duration}" is not a duration: use hours, minutes or seconds, for example "168h" for a week`,
    );
  }
  const [hours = 0, minutes = 0, seconds = 0] = parts.slice(1).map((part) => Number(part ?? 0));
  return ((hours * 60 + minutes) * 60 + seconds) * 1000;
}
