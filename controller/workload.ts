// The parts of Deployments and Pods that the controller writes or reads; the API server knows more.
import type { KubeObject } from './kube/object.ts';

export const deployments = { group: 'apps', version: 'v1', plural: 'deployments' };
export const pods = { group: '', version: 'v1', plural: 'pods' };

/** On everything the controller makes: what it watches, and nothing else of its kind. */
export const managedByLabel = 'app.kubernetes.io/managed-by';
export const managedBy = 'k2-feed-operator';
/** The feed's name; the feed is in the same namespace. */
export const feedLabel = 'feeds.k2.dev/feed';
export const shardLabel = 'feeds.k2.dev/shard';

/** Port of a worker's /healthz, /readyz, /metrics and /status. */
export const workerPort = 8080;

/** As Kubernetes has conditions on workloads: the status is a string. */
export interface WorkloadCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

export interface Deployment extends KubeObject {
  spec: { replicas: number; selector: unknown; template: unknown } & Record<string, unknown>;
  status?: {
    observedGeneration?: number;
    replicas?: number;
    updatedReplicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    conditions?: WorkloadCondition[];
  };
}

interface ContainerState {
  waiting?: { reason?: string; message?: string };
  terminated?: { exitCode?: number; reason?: string; message?: string };
}

export interface Pod extends KubeObject {
  status?: {
    phase?: string;
    podIP?: string;
    conditions?: WorkloadCondition[];
    containerStatuses?: {
      ready: boolean;
      restartCount: number;
      state?: ContainerState;
      lastState?: ContainerState;
    }[];
  };
}

export function isReady(pod: Pod): boolean {
  const ready = pod.status?.conditions?.find((condition) => condition.type === 'Ready');
  return ready?.status === 'True' && pod.metadata.deletionTimestamp === undefined;
}

/** The key of the feed that a Deployment or Pod belongs to; null: none. */
export function feedKeyOf({ metadata }: KubeObject): string | null {
  const feed = metadata.labels?.[feedLabel];
  return feed === undefined || metadata.namespace === undefined ? null : `${metadata.namespace}/${feed}`;
}
