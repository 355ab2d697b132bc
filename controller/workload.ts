// The parts of Deployments, budgets and Pods that the controller writes or reads; the API server knows more.
import type { KubeObject } from './kube/object.ts';

export const deployments = { group: 'apps', version: 'v1', plural: 'deployments' };
export const budgets = { group: 'policy', version: 'v1', plural: 'poddisruptionbudgets' };
export const pods = { group: '', version: 'v1', plural: 'pods' };

/** On everything the controller makes: what it watches, and nothing else of its kind. */
export const managedByLabel = 'app.kubernetes.io/managed-by';
export const managedBy = 'k2-feed-operator';
/** The feed's name; the feed is in the same namespace. */
export const feedLabel = 'feeds.k2.dev/feed';
export const shardLabel = 'feeds.k2.dev/shard';

/** The worker's container by name; others may be put beside it, as a service mesh does. */
export const workerContainer = 'worker';
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
  kind: 'Deployment';
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

export interface PodDisruptionBudget extends KubeObject {
  kind: 'PodDisruptionBudget';
  spec: Record<string, unknown>;
}

/** What runs for one feed: a Deployment for each shard, and a budget where one is wanted. */
export interface Workload {
  deployments: Deployment[];
  budgets: PodDisruptionBudget[];
}

export interface ContainerTermination {
  exitCode: number;
  reason?: string;
  message?: string;
}

export interface ContainerStatus {
  name: string;
  ready: boolean;
  /** Its start-up probe has passed. */
  started?: boolean;
  restartCount: number;
  state?: ContainerState;
  lastState?: ContainerState;
}

interface ContainerState {
  waiting?: { reason?: string; message?: string };
  running?: { startedAt?: string };
  terminated?: ContainerTermination;
}

export interface Pod extends KubeObject {
  status?: {
    phase?: string;
    podIP?: string;
    conditions?: WorkloadCondition[];
    initContainerStatuses?: ContainerStatus[];
    containerStatuses?: ContainerStatus[];
  };
}

export function isReady(pod: Pod): boolean {
  const ready = pod.status?.conditions?.find((condition) => condition.type === 'Ready');
  return ready?.status === 'True' && !isEnding(pod);
}

/** As its label says; NaN without one, so that it is no shard's. */
export const shardOf = ({ metadata }: KubeObject): number => Number(metadata.labels?.[shardLabel] ?? Number.NaN);

/** On its way out: it still runs, and comes back under this name only once it is gone. */
export const isEnding = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp !== undefined;

/** Its containers have ended for good, as after an eviction; the pod stays only to tell of it. */
export const hasEnded = ({ status }: Pod): boolean => status?.phase === 'Failed' || status?.phase === 'Succeeded';

/** None of a feed's Deployments is to have a worker. */
export const isPaused = (deployments: Deployment[]): boolean => deployments.every(({ spec }) => spec.replicas === 0);

/** Every replica is of the newest configuration and available; replicas of an older one may still end. */
export function isRolledOut({ metadata, spec: { replicas }, status = {} }: Deployment): boolean {
  const { observedGeneration = 0, updatedReplicas = 0, availableReplicas = 0 } = status;
  const isCurrent = observedGeneration >= (metadata.generation ?? 0);
  return isCurrent && updatedReplicas >= replicas && availableReplicas >= replicas;
}

/** The key of the feed that a Deployment, budget or Pod belongs to; null: none. */
export function feedKeyOf({ metadata }: KubeObject): string | null {
  const feed = metadata.labels?.[feedLabel];
  return feed === undefined || metadata.namespace === undefined ? null : `${metadata.namespace}/${feed}`;
}
