// The system that a run drives, and how its parts are reached: the API server, the simulator, what readers see.
import { KubeConfig } from '@kubernetes/client-node';
import type { ExchangeFeed, ExchangeFeedSpec } from '../../api/exchange-feed.ts';
import type { KubeObject } from '../../controller/kube/object.ts';
import { createTransport, type Transport } from '../../controller/kube/transport.ts';
import type { Deployment, Pod } from '../../controller/workload.ts';
import type { Store } from '../cluster/artifact.ts';
import type { LocalCluster } from '../cluster/local/local.ts';
import type { Bed } from '../e2e/bed.ts';
import { namespace } from '../e2e/operator.ts';
import type { SimulatorControl } from '../simulator/control.ts';
import type { Feed } from './feeds.ts';
import type { Reader } from './reader.ts';

export interface System {
  bed: Bed;
  store: Store;
  /** Only the local cluster's parts can be killed one by one. */
  cluster: LocalCluster;
  kube: Transport;
  simulator: SimulatorControl;
  feeds: readonly Feed[];
  reader: Reader;
}

export type WorkerPod = Pod & {
  status?: { containerStatuses?: { containerID?: string; restartCount: number }[] };
};

/** The API server answers in milliseconds; one that does not is down, and the caller looks again. */
const requestMsMax = 2_000;

const feedsPath = `/apis/feeds.k2.dev/v1alpha1/namespaces/${namespace}/exchangefeeds`;
const podsPath = `/api/v1/namespaces/${namespace}/pods`;
const deploymentsPath = `/apis/apps/v1/namespaces/${namespace}/deployments`;

export function openKube(bed: Bed): Transport {
  const config = new KubeConfig();
  config.loadFromFile(bed.kubeconfig);
  return createTransport(config, { userAgent: 'k2-faults' });
}

async function list<T>({ kube }: Pick<System, 'kube'>, path: string, labelSelector?: string): Promise<T[]> {
  const options = { query: { labelSelector }, timeoutMs: requestMsMax };
  return (await kube.request<{ items: T[] }>('GET', path, options)).items;
}

export const listFeeds = (system: Pick<System, 'kube'>): Promise<ExchangeFeed[]> => list(system, feedsPath);

/** Of one feed, in the order of their names, those on their way out left out. */
export async function podsOf(system: Pick<System, 'kube'>, { name }: Feed): Promise<WorkerPod[]> {
  const pods = await list<WorkerPod>(system, podsPath, `feeds.k2.dev/feed=${name}`);
  return pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined).sort(byName);
}

/** Of all feeds, on their way out or not. */
export const listWorkerPods = (system: Pick<System, 'kube'>): Promise<WorkerPod[]> =>
  list(system, podsPath, 'app.kubernetes.io/component=worker');

export const controllerPods = (system: Pick<System, 'kube'>): Promise<WorkerPod[]> =>
  list(system, podsPath, 'app.kubernetes.io/component=controller');

export async function deploymentsOf(system: Pick<System, 'kube'>, { name }: Feed): Promise<Deployment[]> {
  return (await list<Deployment>(system, deploymentsPath, `feeds.k2.dev/feed=${name}`)).sort(byName);
}

export const listDeployments = (system: Pick<System, 'kube'>): Promise<Deployment[]> =>
  list(system, deploymentsPath, 'app.kubernetes.io/component=worker');

export async function specOf({ kube }: System, { name }: Feed): Promise<ExchangeFeedSpec> {
  return (await kube.request<ExchangeFeed>('GET', `${feedsPath}/${name}`)).spec;
}

/** A merge patch: null takes a field away. */
export async function patchFeed({ kube }: System, { name }: Feed, spec: object): Promise<void> {
  const body = { spec };
  await kube.request('PATCH', `${feedsPath}/${name}`, { body, contentType: 'application/merge-patch+json' });
}

/** @param gracePeriodSeconds 0: at once, as `kubectl delete --force`; absent: the pod's own */
export async function deletePod({ kube }: System, pod: KubeObject, gracePeriodSeconds?: number): Promise<void> {
  await kube.request('DELETE', `${podsPath}/${pod.metadata.name}`, { query: { gracePeriodSeconds } });
}

/** As a drain does it. https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/ */
export async function evictPod({ kube }: System, { metadata }: KubeObject): Promise<void> {
  const { name } = metadata;
  const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } };
  await kube.request('POST', `${podsPath}/${name}/eviction`, { body });
}

export async function deleteDeployment({ kube }: System, { metadata }: KubeObject): Promise<void> {
  const query = { propagationPolicy: 'Background' };
  await kube.request('DELETE', `${deploymentsPath}/${metadata.name}`, { query });
}

const byName = (a: KubeObject, b: KubeObject) => (a.metadata.name < b.metadata.name ? -1 : 1);
