// The cluster of the provider `local`: all of Kubernetes in network, pid and mount namespaces of its own.
import type { Store } from '../artifact.ts';
import type { Cluster } from '../cluster.ts';

export function createLocalCluster(_store: Store): Cluster {
  throw new Error('not built yet');
}
