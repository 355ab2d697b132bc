// Which Secrets a feed names, and what they give its connections. Pure.
import type { ExchangeFeed } from '../api/exchange-feed.ts';
import { type KafkaAccess, openKafka, openRegistry, type RegistryAccess, type SecretUse } from '../api/secrets.ts';
import type { ControllerConfig } from './config.ts';

/** Brokers, and how they are spoken to. */
export interface Brokers {
  servers: readonly string[];
  access: KafkaAccess;
  /** The same servers with the same Secrets have the same key. */
  key: string;
  /** Another one: a Secret was rotated. */
  version: string;
}

/** A schema registry, and how it is spoken to. */
export interface RegistryPlace {
  url: string;
  access: RegistryAccess;
  key: string;
  version: string;
}

/** What all Secrets of a feed give. */
export interface Access {
  kafka: KafkaAccess;
  registry: RegistryAccess;
  /** What workers need of them. */
  mounts: readonly SecretMount[];
  /** Of all that is mounted; changes with it, and tells nothing of it. Empty: nothing is mounted. */
  hash: string;
}

export interface SecretMount {
  use: SecretUse;
  secretName: string;
  keys: readonly string[];
}

export const openAccess: Access = { kafka: openKafka, registry: openRegistry, mounts: [], hash: '' };

/** Secrets and TLS of feeds that name neither them nor brokers or a registry of their own. */
export type SecretDefaults = Pick<
  ControllerConfig,
  | 'kafkaTls'
  | 'kafkaAuthSecret'
  | 'kafkaCaSecret'
  | 'kafkaCertificateSecret'
  | 'registryAuthSecret'
  | 'registryCaSecret'
>;

export interface SecretUseOf {
  use: SecretUse;
  name: string;
  /** Where it is named. */
  field: string;
}

/** Credentials belong to the brokers that they are for: they are never shown to others that a feed names. */
const isOfDefaultBrokers = ({ spec }: ExchangeFeed) => spec.kafka?.bootstrapServers === undefined;
const isOfDefaultRegistry = ({ spec }: ExchangeFeed) => spec.schemaRegistry?.url === undefined;

export function isTlsWanted(feed: ExchangeFeed, defaults: SecretDefaults): boolean {
  return feed.spec.kafka?.tls !== undefined || (defaults.kafkaTls && isOfDefaultBrokers(feed));
}

export function secretsOf(feed: ExchangeFeed, defaults: SecretDefaults): SecretUseOf[] {
  const { kafka, schemaRegistry: registry } = feed.spec;
  const ofKafka = isOfDefaultBrokers(feed) ? defaults : null;
  const ofRegistry = isOfDefaultRegistry(feed) ? defaults : null;
  const certificate = kafka?.tls?.certificateSecretRef;
  const all = [
    ['kafka-auth', 'kafka.authSecretRef', kafka?.authSecretRef, ofKafka?.kafkaAuthSecret],
    ['kafka-ca', 'kafka.tls.caSecretRef', kafka?.tls?.caSecretRef, ofKafka?.kafkaCaSecret],
    ['kafka-certificate', 'kafka.tls.certificateSecretRef', certificate, ofKafka?.kafkaCertificateSecret],
    ['registry-auth', 'schemaRegistry.authSecretRef', registry?.authSecretRef, ofRegistry?.registryAuthSecret],
    ['registry-ca', 'schemaRegistry.tls.caSecretRef', registry?.tls?.caSecretRef, ofRegistry?.registryCaSecret],
  ] as const;
  return all.flatMap(([use, field, ref, byDefault]) => {
    if (ref !== undefined) return [{ use, field, name: ref.name }];
    return byDefault === undefined ? [] : [{ use, field: "the controller's configuration", name: byDefault }];
  });
}

/** Keys of the Secrets of a feed, `<namespace>/<name>`. */
export function secretKeysOf(feed: ExchangeFeed, defaults: SecretDefaults): string[] {
  return [...new Set(secretsOf(feed, defaults).map(({ name }) => `${feed.metadata.namespace}/${name}`))];
}

export function brokersOf(feed: ExchangeFeed, servers: readonly string[], access: Access): Brokers {
  const { kafka, hash } = access;
  const marks = kafka.tls === null ? [] : ['tls'];
  return { servers, access: kafka, key: keyOf([servers.join(), ...marks], feed, 'kafka-', access), version: hash };
}

export function registryOf(feed: ExchangeFeed, url: string, access: Access): RegistryPlace {
  return { url, access: access.registry, key: keyOf([url], feed, 'registry-', access), version: access.hash };
}

function keyOf(place: string[], { metadata }: ExchangeFeed, prefix: string, { mounts }: Access): string {
  const own = mounts.filter(({ use }) => use.startsWith(prefix));
  return [...place, ...own.map(({ use, secretName }) => `${use}=${metadata.namespace}/${secretName}`)].join(' ');
}
