// The Deployment of a feed's workers, as it is applied. Pure. All configuration is in the environment, so any change of
// it changes the pod template by itself; nothing here depends on the controller's version, so an upgrade rolls no
// worker.
import { createHash } from 'node:crypto';
import { type ExchangeFeed, group, kind, type Quantity, version } from '../api/exchange-feed.ts';
import { variables } from '../api/worker-config.ts';
import type { ControllerConfig } from './config.ts';
import { type Deployment, feedLabel, managedBy, managedByLabel, shardLabel, workerPort } from './workload.ts';

export interface WorkerAddresses {
  bootstrapServers: string[];
  schemaRegistryUrl: string;
  rawName: string;
  normalizedName: string;
  deadLetterName: string;
}

/** Of the whole applied object; on the Deployment only, not on its pods. Finds fields that are no longer wanted. */
export const appliedAnnotation = 'feeds.k2.dev/applied';

// A worker drains for at most 20 s after SIGTERM; the rest is for a slow node.
const terminationSeconds = 30;
// A process listens within a second; on a node that is short of CPU it may take a minute, and a restart would not help.
const startupProbe = { periodSeconds: 1, failureThreshold: 60 };
const resourceDefaults = {
  limits: { cpu: '500m', memory: '512Mi' },
  requests: { cpu: '100m', memory: '128Mi' },
};

/** One Deployment per shard, and one shard: `<feed>-0`, which no other feed of the namespace can get. */
export const deploymentName = (feed: { metadata: { name: string } }): string => `${feed.metadata.name}-0`;

export function workerDeployment(feed: ExchangeFeed, config: ControllerConfig, addresses: WorkerAddresses): Deployment {
  const { name, namespace, uid } = feed.metadata;
  // Never changes, as a Deployment's selector cannot.
  const selector = { [feedLabel]: name, [shardLabel]: '0' };
  const labels = {
    'app.kubernetes.io/name': 'k2-feed-worker',
    'app.kubernetes.io/instance': name,
    'app.kubernetes.io/component': 'worker',
    'app.kubernetes.io/part-of': 'k2-feed-operator',
    [managedByLabel]: managedBy,
    'feeds.k2.dev/exchange': feed.spec.exchange,
    ...selector,
  };
  const owner = { apiVersion: `${group}/${version}`, kind, name, uid, controller: true, blockOwnerDeletion: true };
  const deployment: Deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: deploymentName(feed), namespace, labels, ownerReferences: [owner] },
    spec: {
      replicas: 1,
      revisionHistoryLimit: 3,
      selector: { matchLabels: selector },
      // The new worker streams before the old one ends; a new one that cannot start leaves the old one alone.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: { metadata: { labels }, spec: podSpec(feed, config, addresses) },
    },
  };
  const hash = createHash('sha256').update(JSON.stringify(deployment)).digest('hex');
  return { ...deployment, metadata: { ...deployment.metadata, annotations: { [appliedAnnotation]: hash } } };
}

/** Fits the restricted profile. https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted */
function podSpec(feed: ExchangeFeed, config: ControllerConfig, addresses: WorkerAddresses) {
  return {
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
    },
    containers: [
      {
        name: 'worker',
        image: feed.spec.worker?.image ?? config.workerImage,
        imagePullPolicy: config.workerImagePullPolicy,
        env: environment(feed, addresses),
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

function environment(feed: ExchangeFeed, addresses: WorkerAddresses): { name: string; value: string }[] {
  const { exchange, symbols, endpoint } = feed.spec;
  const values = {
    exchange,
    // A set: another order is no other configuration, and must not replace the worker.
    symbols: symbols.toSorted().join(','),
    bootstrapServers: addresses.bootstrapServers.join(','),
    schemaRegistryUrl: addresses.schemaRegistryUrl,
    topicRaw: addresses.rawName,
    topicNormalized: addresses.normalizedName,
    topicDeadLetter: addresses.deadLetterName,
    webSocketUrl: endpoint?.webSocketUrl,
    restUrl: endpoint?.restUrl,
    httpPort: String(workerPort),
  };
  return Object.entries(values).flatMap(([field, value]) =>
    value === undefined ? [] : [{ name: variables[field as keyof typeof values].name, value }],
  );
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
