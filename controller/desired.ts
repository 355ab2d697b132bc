// From a feed and the controller's configuration to what should exist outside: topics, subjects, the workers'
// Deployment. Pure: the same feed gives the same answer, whatever exists already.
import type { ExchangeFeed } from '../api/exchange-feed.ts';
import type { ControllerConfig } from './config.ts';
import { workerDeployment } from './deployment.ts';
import type { Deployment } from './workload.ts';

export interface Topic {
  name: string;
  partitions: number;
  replicationFactor: number;
  retentionMs: number;
}

export interface Subject {
  name: string;
  /** Text of an Avro schema. */
  schema: string;
}

export interface Desired {
  bootstrapServers: string[];
  schemaRegistryUrl: string;
  /** Raw, normalized, dead letters. */
  topics: Topic[];
  /** Of the first two: a dead letter is what has no schema. */
  subjects: Subject[];
  deployment: Deployment;
}

/** Texts of the schemas in the image. */
export interface Schemas {
  normalized: string;
  /** By exchange id. */
  raw: Readonly<Record<string, string>>;
}

/** @throws Error when the spec has what the CRD does not let through, or its exchange has no schema */
export function desire(feed: ExchangeFeed, config: ControllerConfig, schemas: Schemas): Desired {
  const { exchange, topics } = feed.spec;
  const rawSchema = schemas.raw[exchange];
  if (rawSchema === undefined) throw new Error(`exchange "${exchange}" has no schema`);
  const normalizedName = topics.normalized.name ?? `market.crypto.trades.${exchange}`;
  const rawName = topics.raw.name ?? `market.crypto.trades.${exchange}.raw`;
  const deadLetterName = `${rawName}.dlq`;
  const topic = (name: string, field: string, retention: string): Topic => ({
    name,
    partitions: topics.partitions,
    replicationFactor: topics.replicationFactor,
    retentionMs: parseDurationMs(field, retention),
  });
  const bootstrapServers = feed.spec.kafka?.bootstrapServers?.split(',') ?? config.bootstrapServers;
  const schemaRegistryUrl = feed.spec.schemaRegistry?.url ?? config.schemaRegistryUrl;
  return {
    bootstrapServers,
    schemaRegistryUrl,
    topics: [
      topic(rawName, 'topics.raw.retention', topics.raw.retention),
      topic(normalizedName, 'topics.normalized.retention', topics.normalized.retention),
      topic(deadLetterName, 'topics.raw.retention', topics.raw.retention),
    ],
    subjects: [
      { name: subjectOf(rawName), schema: rawSchema },
      { name: subjectOf(normalizedName), schema: schemas.normalized },
    ],
    deployment: workerDeployment(feed, config, {
      bootstrapServers,
      schemaRegistryUrl,
      rawName,
      normalizedName,
      deadLetterName,
    }),
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
