// The Deployment of one shard's workers, and its budget, as they are applied. Pure. All configuration is in the
// environment, so any change of it changes the pod template by itself. Nothing here depends on the controller's
// version, so an upgrade rolls no worker; nor on other shards, so one whose symbols stay is left alone.
import { createHash } from 'node:crypto';
import { type ExchangeFeed, group, kind, type Quantity, version } from '../api/exchange-feed.ts';
import { variables } from '../api/worker-config.ts';
import type { Access } from './access.ts';
import type { ControllerConfig } from './config.ts';
import type { KubeObject } from './kube/object.ts';
import { podMetadata, scheduling } from './pod-template.ts';
import { secretParts } from './secret-volumes.ts';
import {
  type Deployment,
  feedLabel,
  managedBy,
  managedByLabel,
  type PodDisruptionBudget,
  shardLabel,
  workerContainer,
  workerPort,
} from './workload.ts';

export interface WorkerAddresses {
  access: Access;
  bootstrapServers: string[];
  schemaRegistryUrl: string;
  rawName: string;
  normalizedName: string;
  deadLetterName: string;
  /** Undefined: nothing is written in transactions. */
  cursorsName: string | undefined;
}

/** One part of a feed: the symbols that one worker at a time writes. */
export interface Shard {
  index: number;
  /** Sorted: another order is no other configuration, and must not replace the worker. */
  symbols: string[];
}

/** Of the whole applied object; on the object only, not on its pods. Finds fields that are no longer wanted. */
export const appliedAnnotation = 'feeds.k2.dev/applied';

// After SIGTERM a worker ends a take-over that is under way, 12 s at most, and drains for 20 s at most; its release is
// in the last transaction. The rest is for a slow node. One that is killed all the same loses nothing: what it did not
// commit is read again by whoever takes over.
const terminationSeconds = 45;
// A process listens within a second; on a node that is short of CPU it may take a minute, and a restart would not help.
const startupProbe = { periodSeconds: 1, failureThreshold: 60 };
const resourceDefaults = {
  limits: { cpu: '500m', memory: '512Mi' },
  requests: { cpu: '100m', memory: '128Mi' },
};

/** Only the last part is the shard's number, so no other feed of the namespace can get the same name. */
const nameOf = (feed: ExchangeFeed, { index }: Shard): string => `${feed.metadata.name}-${index}`;

/** Never changes, as a Deployment's selector cannot. */
const selectorOf = (feed: ExchangeFeed, { index }: Shard) => ({
  [feedLabel]: feed.metadata.name,
  [shardLabel]: String(index),
});

export function workerDeployment(
  feed: ExchangeFeed,
  shard: Shard,
  config: ControllerConfig,
  addresses: WorkerAddresses,
): Deployment {
  const metadata = metadataOf(feed, shard);
  const { annotations } = secretParts(addresses.access);
  return withHash({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: {
      replicas: replicasOf(feed),
      revisionHistoryLimit: 3,
      selector: { matchLabels: selectorOf(feed, shard) },
      // The new worker waits, subscribed, before the old one ends; one that cannot start leaves the old one alone.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: podMetadata(feed, metadata.labels, annotations),
        spec: podSpec(feed, shard, config, addresses),
      },
    },
  });
}

/** Of a feed that is paused none: its Deployments stay, with what is theirs alone, such as a restart. */
const replicasOf = ({ spec }: ExchangeFeed): number => (spec.state === 'Paused' ? 0 : 1 + spec.standbys);

/** Lets a drain end one worker of a shard at a time. Only for shards with a standby: see docs/decisions. */
export function workerBudget(feed: ExchangeFeed, shard: Shard): PodDisruptionBudget {
  return withHash({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: metadataOf(feed, shard),
    spec: {
      maxUnavailable: 1,
      selector: { matchLabels: selectorOf(feed, shard) },
      // A worker that is not ready must not hold up a drain.
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    },
  });
}

function metadataOf(feed: ExchangeFeed, shard: Shard) {
  const { name, namespace, uid } = feed.metadata;
  const labels: Record<string, string> = {
    'app.kubernetes.io/name': 'k2-feed-worker',
    'app.kubernetes.io/instance': name,
    'app.kubernetes.io/component': 'worker',
    'app.kubernetes.io/part-of': 'k2-feed-operator',
    [managedByLabel]: managedBy,
    'feeds.k2.dev/exchange': feed.spec.exchange,
    ...selectorOf(feed, shard),
  };
  const owner = { apiVersion: `${group}/${version}`, kind, name, uid, controller: true, blockOwnerDeletion: true };
  return { name: nameOf(feed, shard), namespace, labels, ownerReferences: [owner] };
}

function withHash<T extends KubeObject>(object: T): T {
  const hash = createHash('sha256').update(JSON.stringify(object)).digest('hex');
  return { ...object, metadata: { ...object.metadata, annotations: { [appliedAnnotation]: hash } } };
}

/** Fits the restricted profile. https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted */
function podSpec(feed: ExchangeFeed, shard: Shard, config: ControllerConfig, addresses: WorkerAddresses) {
  const secrets = secretParts(addresses.access);
  return {
    ...scheduling(feed.spec.worker, selectorOf(feed, shard)),
    // Workers need nothing from the API server.
    automountServiceAccountToken: false,
    // Otherwise each Service of the namespace adds variables, under the worker's prefix if it is named k2-something.
    enableServiceLinks: false,
    terminationGracePeriodSeconds: terminationSeconds,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
      ...secrets.securityContext,
    },
    ...secrets.pod,
    containers: [
      {
        name: workerContainer,
        image: feed.spec.worker?.image ?? config.workerImage,
        imagePullPolicy: config.workerImagePullPolicy,
        env: [...environment(feed, shard, addresses), ...secrets.env],
        ...secrets.container,
        ports: [{ name: 'http', containerPort: workerPort, protocol: 'TCP' }],
        resources: resources(feed),
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        startupProbe: { httpGet: { path: '/healthz', port: 'http' }, ...startupProbe },
        livenessProbe: { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 10, timeoutSeconds: 5 },
        readinessProbe: { httpGet: { path: '/readyz', port: 'http' }, periodSeconds: 2, timeoutSeconds: 2 },
        // A crash's last log lines become part of the feed's status.
        terminationMessagePolicy: 'FallbackToLogsOnError',
      },
    ],
  };
}

type EnvironmentVariable =
  | { name: string; value: string }
  | { name: string; valueFrom: { fieldRef: { fieldPath: string } } };

function environment(feed: ExchangeFeed, shard: Shard, addresses: WorkerAddresses): EnvironmentVariable[] {
  const { metadata, spec } = feed;
  const values = {
    exchange: spec.exchange,
    symbols: shard.symbols.join(','),
    delivery: spec.delivery,
    feed: `${metadata.namespace}/${metadata.name}`,
    shard: String(shard.index),
    bootstrapServers: addresses.bootstrapServers.join(','),
    schemaRegistryUrl: addresses.schemaRegistryUrl,
    topicRaw: addresses.rawName,
    topicNormalized: addresses.normalizedName,
    topicDeadLetter: addresses.deadLetterName,
    topicCursors: addresses.cursorsName,
    webSocketUrl: spec.endpoint?.webSocketUrl,
    restUrl: spec.endpoint?.restUrl,
    httpPort: String(workerPort),
  };
  // A container that restarts in its pod is the same instance: it need not wait for its own silence.
  const instance = { name: variables.instance.name, valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } };
  const given = Object.entries(values).flatMap(([field, value]) =>
    value === undefined ? [] : [{ name: variables[field as keyof typeof values].name, value }],
  );
  return [...given, instance];
}

/** Quantities as strings, as the API server stores them. */
function resources(feed: ExchangeFeed): Record<'limits' | 'requests', Record<string, string>> {
  const merge = (defaults: Record<string, string>, given: Record<string, Quantity> = {}) =>
    Object.fromEntries(Object.entries({ ...defaults, ...given }).map(([name, value]) => [name, String(value)]));
  return {
    limits: merge(resourceDefaults.limits, feed.spec.worker?.resources?.limits),
    requests: merge(resourceDefaults.requests, feed.spec.worker?.resources?.requests),
  };
}
