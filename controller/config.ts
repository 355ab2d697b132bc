// The controller's whole configuration: environment variables, parsed once, at start; the chart sets them.
// docs/reference/controller-configuration.md lists them; a test holds page and parser equal.
import { z } from 'zod';
import {
  type LogLevel,
  readVariable,
  text,
  type Variable,
  variables as workerVariables,
} from '../api/worker-config.ts';

export interface ControllerConfig {
  bootstrapServers: string[];
  /** The Secrets, by name in the namespace of each feed; undefined: none. */
  kafkaAuthSecret: string | undefined;
  kafkaTls: boolean;
  kafkaCaSecret: string | undefined;
  kafkaCertificateSecret: string | undefined;
  schemaRegistryUrl: string;
  registryAuthSecret: string | undefined;
  registryCaSecret: string | undefined;
  workerImage: string;
  workerImagePullPolicy: ImagePullPolicy;
  /** Undefined: all namespaces. */
  watchNamespace: string | undefined;
  leaderElection: boolean;
  leaseName: string;
  /** Undefined: that of the pod, or of the kubeconfig's context. */
  leaseNamespace: string | undefined;
  schemaPath: string;
  httpPort: number;
  logLevel: LogLevel;
}

const namespace = text.regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'is not the name of one namespace');

const secretName = text.regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, 'is not the name of a Secret').optional();

const imagePullPolicies = ['Always', 'IfNotPresent', 'Never'] as const;
export type ImagePullPolicy = (typeof imagePullPolicies)[number];

export const variables = {
  bootstrapServers: {
    ...workerVariables.bootstrapServers,
    doc: 'Brokers of feeds that name none, host:port, separated by commas. Controller and workers both reach them.',
  },
  kafkaAuthSecret: {
    name: 'K2_KAFKA_AUTH_SECRET',
    schema: secretName,
    example: 'kafka-user',
    doc: "Secret of `username`, `password`, perhaps `mechanism`, in each feed's namespace. Default: no SASL.",
  },
  kafkaTls: {
    ...workerVariables.kafkaTls,
    doc: 'Whether those brokers are spoken to with TLS; a Secret of certificates means so, too. Default: `false`.',
  },
  kafkaCaSecret: {
    name: 'K2_KAFKA_TLS_CA_SECRET',
    schema: secretName,
    example: 'kafka-ca',
    doc: "Secret of `ca.crt`, whom to trust, in each feed's own namespace. Default: the system's authorities.",
  },
  kafkaCertificateSecret: {
    name: 'K2_KAFKA_TLS_CERTIFICATE_SECRET',
    schema: secretName,
    example: 'kafka-certificate',
    doc: "Secret of `tls.crt` and `tls.key`, whom to be, in each feed's own namespace. Default: no client certificate.",
  },
  schemaRegistryUrl: {
    ...workerVariables.schemaRegistryUrl,
    doc: 'Base URL of a schema registry with the Confluent API, for feeds that name none.',
  },
  registryAuthSecret: {
    name: 'K2_KAFKA_SCHEMA_REGISTRY_AUTH_SECRET',
    schema: secretName,
    example: 'registry-user',
    doc: "Secret of `username` and `password` for that registry, in each feed's namespace. Default: no authentication.",
  },
  registryCaSecret: {
    name: 'K2_KAFKA_SCHEMA_REGISTRY_TLS_CA_SECRET',
    schema: secretName,
    example: 'registry-ca',
    doc: "Secret of `ca.crt` for an https: registry, in each feed's own namespace. Default: the system's authorities.",
  },
  workerImage: {
    name: 'K2_WORKER_IMAGE',
    schema: text.regex(/^\S+$/, 'has a space in it'),
    example: 'ghcr.io/k2-feed-operator/worker:0.1.0',
    doc: 'Image of the workers of feeds that name none.',
  },
  workerImagePullPolicy: {
    name: 'K2_WORKER_IMAGE_PULL_POLICY',
    schema: z.enum(imagePullPolicies, `is not one of ${imagePullPolicies.join(', ')}`).default('IfNotPresent'),
    example: 'IfNotPresent',
    doc: "Pull policy of the workers' image: `Always`, `IfNotPresent`, `Never`. Default: `IfNotPresent`.",
  },
  watchNamespace: {
    name: 'K2_WATCH_NAMESPACE',
    schema: namespace.optional(),
    example: 'market-data',
    doc: 'The only namespace whose feeds are run. Default: all namespaces.',
  },
  leaderElection: {
    name: 'K2_LEADER_ELECTION',
    schema: z
      .enum(['true', 'false'], 'is neither true nor false')
      .default('true')
      .transform((value) => value === 'true'),
    example: 'true',
    doc: 'Whether one controller works and all others stand by; `false`: there is but one. Default: `true`.',
  },
  leaseName: {
    name: 'K2_LEASE_NAME',
    schema: text
      .regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, 'is not the name of a Lease')
      .default('k2-feed-operator'),
    example: 'k2-feed-operator',
    doc: 'Name of the Lease that the one at work holds. Default: `k2-feed-operator`.',
  },
  leaseNamespace: {
    name: 'K2_LEASE_NAMESPACE',
    schema: namespace.optional(),
    example: 'k2-system',
    doc: "Namespace of the Lease. Default: the pod's own, or that of the kubeconfig's context, or `default`.",
  },
  schemaPath: workerVariables.schemaPath,
  httpPort: {
    ...workerVariables.httpPort,
    doc: 'Port of /healthz, /readyz and /metrics; 0: any free one. Default: `8080`.',
  },
  logLevel: workerVariables.logLevel,
} satisfies { [Field in keyof ControllerConfig]: Variable<unknown> };

/** @throws Error with one line that names the variable, what is wrong with its value, and a right example */
export function parseControllerConfig(environment: Record<string, string | undefined>): ControllerConfig {
  const read = <T>(variable: Variable<T>): T => readVariable(environment, variable);
  return {
    bootstrapServers: read(variables.bootstrapServers),
    kafkaAuthSecret: read(variables.kafkaAuthSecret),
    kafkaTls: read(variables.kafkaTls),
    kafkaCaSecret: read(variables.kafkaCaSecret),
    kafkaCertificateSecret: read(variables.kafkaCertificateSecret),
    schemaRegistryUrl: read(variables.schemaRegistryUrl),
    registryAuthSecret: read(variables.registryAuthSecret),
    registryCaSecret: read(variables.registryCaSecret),
    workerImage: read(variables.workerImage),
    workerImagePullPolicy: read(variables.workerImagePullPolicy),
    watchNamespace: read(variables.watchNamespace),
    leaderElection: read(variables.leaderElection),
    leaseName: read(variables.leaseName),
    leaseNamespace: read(variables.leaseNamespace),
    schemaPath: read(variables.schemaPath),
    httpPort: read(variables.httpPort),
    logLevel: read(variables.logLevel),
  };
}
