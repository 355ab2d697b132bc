// The one interface behind which the tests' Kubernetes comes from, and the choice between the two that there are.
import type { Artifact, Store } from './artifact.ts';

export interface Access {
  kubeconfig: string;
  /** Path of a kubectl that fits the cluster. */
  kubectl: string;
  /** Where both the pods and this machine reach servers that listen on this machine. */
  hostAddress: string;
  /** Where this machine reaches NodePorts. */
  nodeAddress: string;
}

export interface ServiceUrls {
  bootstrapServers: string;
  /** Of Confluent's API, without a slash at its end. */
  schemaRegistryUrl: string;
}

export interface Cluster {
  readonly name: 'local' | 'kind';
  /** Before anything is built. @throws Error that names who has what the cluster needs for itself on this machine */
  refuseTaken?(): Promise<void>;
  /** What must be built before `up`. */
  artifacts(): Promise<Artifact[]>;
  /**
   * Brings the cluster up, taking away first what a crash left behind; at once if it is up already.
   * Resolves when pods can be started and Services answer.
   */
  up(): Promise<Access>;
  /** Leaves nothing behind; does nothing when there is nothing. */
  down(): Promise<void>;
  /** Makes container images known to all nodes. @param archives tar files as `docker save` writes them */
  loadImages(archives: readonly string[]): Promise<void>;
  /** The broker and registry that come up with the cluster; null: it brings none along. */
  services(access: Access): ServiceUrls | null;
  /** What is there of this cluster or left of it on the machine, one line each; empty after `down`. */
  leftovers(): Promise<string[]>;
}

export interface Machine {
  root: boolean;
  linux: boolean;
  /** `unshare --net --pid --mount` works. */
  namespaces: boolean;
  /** A Docker daemon answers. */
  docker: boolean;
  /** kind is on PATH. */
  kind: boolean;
}

export type Choice = { cluster: Cluster['name']; why: string } | { cluster: null; why: string };

/**
 * @param wanted K2_CLUSTER
 * @returns no cluster where this machine cannot carry one, with a sentence of what is missing
 * @throws Error when `wanted` is neither local nor kind
 */
export function chooseCluster(wanted: string | undefined, machine: Machine): Choice {
  const missing = [
    ...(machine.linux ? [] : ['Linux']),
    ...(machine.root ? [] : ['root']),
    ...(machine.root && machine.linux && !machine.namespaces ? ['network, pid and mount namespaces (unshare)'] : []),
  ];
  if (wanted === 'kind') return { cluster: 'kind', why: 'K2_CLUSTER=kind' };
  if (wanted !== undefined && wanted !== '' && wanted !== 'local')
    throw new Error(`K2_CLUSTER is "${wanted}": it must be local or kind, or unset`);
  if (!wanted && machine.docker && machine.kind) return { cluster: 'kind', why: 'a Docker daemon and kind are here' };
  if (missing.length === 0)
    return { cluster: 'local', why: wanted ? 'K2_CLUSTER=local' : 'root and namespaces are here' };
  return {
    cluster: null,
    why:
      `No Kubernetes can run here: the local cluster needs ${missing.join(' and ')}, ` +
      'and a kind cluster needs a running Docker daemon and kind on PATH.',
  };
}

/** The provider is loaded only when it is used. */
export async function createCluster(name: Cluster['name'], store: Store): Promise<Cluster> {
  if (name === 'local') return (await import('./local/local.ts')).createLocalCluster(store);
  return (await import('./kind/kind.ts')).createKindCluster(store);
}
