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
  schemaRegistryUrl: string;
  workerImage: string;
  workerImagePullPolicy: ImagePullPolicy;
  /** Undefined: all namespaces. */
  watchNamespace: string | undefined;
  schemaPath: string;
  httpPort: number;
  logLevel: LogLevel;
}

const imagePullPolicies = ['Always', 'IfNotPresent', 'Never'] as const;
export type ImagePullPolicy = (typeof imagePullPolicies)[number];

export const variables = {
  bootstrapServers: {
    ...workerVariables.bootstrapServers,
    doc: 'Brokers of feeds that name none, host:port, separated by commas. Controller and workers both reach them.',
  },
  schemaRegistryUrl: {
    ...workerVariables.schemaRegistryUrl,
    doc: 'Base URL of a schema registry with the Confluent API, for feeds that name none.',
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
    schema: text.regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'is not the name of one namespace').optional(),
    example: 'market-data',
    doc: 'The only namespace whose feeds are run. Default: all namespaces.',
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
    schemaRegistryUrl: read(variables.schemaRegistryUrl),
    workerImage: read(variables.workerImage),
    workerImagePullPolicy: read(variables.workerImagePullPolicy),
    watchNamespace: read(variables.watchNamespace),
    schemaPath: read(variables.schemaPath),
    httpPort: read(variables.httpPort),
    logLevel: read(variables.logLevel),
  };
}
