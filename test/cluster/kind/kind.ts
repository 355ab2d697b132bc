// The cluster of the provider `kind`. This file chooses between its two ways, says which, and lets one process at a time
// work on the cluster.
import type { Store } from '../artifact.ts';
import { withLock } from '../lock.ts';
import type { KindCluster } from './kind-cli.ts';
import { createOfficialCluster, officialImages } from './official.ts';
import { createOwnCluster, ownRuns } from './own.ts';
import { chooseWay, lookAround } from './way.ts';

export async function createKindCluster(store: Store): Promise<KindCluster> {
  const { way, why } = chooseWay({ ...(await lookAround(officialImages)), ownRuns: ownRuns(store) });
  const made =
    way === 'official' ? 'its official node image and Redpanda' : 'a node image and a Docker daemon made here';
  store.reporter.print(`  kind with ${made}: ${why}`);
  const cluster = await (way === 'official' ? createOfficialCluster(store) : createOwnCluster(store));
  return { ...cluster, up: () => alone(store, cluster.up), down: () => alone(store, cluster.down) };
}

function alone<T>({ folders, reporter }: Store, work: () => Promise<T>): Promise<T> {
  const self = { pid: process.pid, checkout: folders.checkout };
  return withLock(
    'kind cluster',
    self,
    (owner) =>
      reporter.print(`  kind: waiting for process ${owner.pid} of ${owner.checkout}, which works on the cluster`),
    work,
  );
}
