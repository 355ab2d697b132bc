// The cluster of the provider `kind`. This file chooses between its two ways, says which, and lets one process at a
// time work on the cluster.
import type { Store } from '../artifact.ts';
import type { Cluster } from '../cluster.ts';
import { withLock } from '../lock.ts';
import { hostAddress } from './daemon.ts';
import { createOfficialCluster, officialImages } from './official.ts';
import { createOwnCluster, ownRuns } from './own.ts';
import { chooseWay, lookAround, type Way } from './way.ts';

export function createKindCluster(store: Store): Cluster {
  const ways = { official: createOfficialCluster(store), own: createOwnCluster(store) };
  let chosen: Promise<Cluster> | undefined;
  const way = () => {
    chosen ??= choose(store).then((name) => ways[name]);
    return chosen;
  };
  return {
    name: 'kind',
    refuseTaken: async () => (await way()).refuseTaken?.(),
    artifacts: async () => (await way()).artifacts(),
    up: () => alone(store, async () => (await way()).up()),
    // Either may have been up, and looking around takes time.
    down: () =>
      alone(store, async () => {
        await ways.own.down();
        await ways.official.down();
      }),
    loadImages: async (archives) => (await way()).loadImages(archives),
    services: (access) => (access.hostAddress === hostAddress ? ways.own : ways.official).services(access),
    leftovers: async () => [...(await ways.own.leftovers()), ...(await ways.official.leftovers())],
  };
}

async function choose(store: Store): Promise<Way> {
  if (ownRuns(store)) return 'own';
  const { way, why } = chooseWay(await lookAround(officialImages));
  const made =
    way === 'official' ? 'its official node image and Redpanda' : 'a node image and a Docker daemon made here';
  store.reporter.print(`  kind with ${made}: ${why}`);
  return way;
}

function alone<T>({ folders, reporter }: Store, work: () => Promise<T>): Promise<T> {
  const self = { pid: process.pid, checkout: folders.checkout };
  return withLock(
    'kind cluster',
    self,
    ({ pid, checkout }) =>
      reporter.print(`  waiting for process ${pid} of ${checkout}, which works on the kind cluster`),
    work,
  );
}
