// Brings a run's own parts up on a bed that runs: the simulated market, the feeds, and the reader of their topics.
import type { Delivery } from '../../api/exchange-feed.ts';
import type { Store } from '../cluster/artifact.ts';
import { createLocalCluster } from '../cluster/local/local.ts';
import { until } from '../cluster/until.ts';
import { openBed } from '../e2e/bed.ts';
import { apply, conditionOf, manifestOf, simulatorHost } from '../e2e/feeds.ts';
import { deploySimulator } from '../e2e/operator.ts';
import { type Feed, feedsOfRun } from './feeds.ts';
import { tradesPerSecond } from './load.ts';
import { mendNode } from './network.ts';
import { servicePid, signalAll } from './processes.ts';
import { Reader } from './reader.ts';
import { listFeeds, openKube, type System } from './system.ts';

/** Small requests: a node of two cores has room for the workers of all shards and standbys. */
const resources = { requests: { cpu: '10m', memory: '64Mi' } };
/** Topics are the first thing that the controller makes of a feed. */
const topicsMsMax = 60_000;

export interface RunningSystem extends System {
  /** Ends the reader; the feeds stay. */
  close(): Promise<void>;
}

/** Close it when the run is over. @throws Error when no local cluster is up, or something does not come up */
export async function openSystem(
  store: Store,
  delivery: Delivery,
  print: (line: string) => void,
): Promise<RunningSystem> {
  const bed = await openBed();
  if (bed.cluster !== 'local') throw new Error(`the bed is a ${bed.cluster} cluster: faults need K2_CLUSTER=local`);
  await mendBed(store);
  const [cluster, simulator] = [await createLocalCluster(store), await deploySimulator(bed)];
  await simulator.reset();
  await simulator.setRate({ tradesPerSecond });
  const feeds = feedsOfRun();
  for (const { name, exchange, symbols, topic } of feeds) {
    const base = `${simulatorHost}/${exchange}`;
    const endpoint = { webSocketUrl: `ws://${base}`, restUrl: `http://${base}` };
    const topics = { raw: { name: `${topic}.raw` }, normalized: { name: topic } };
    const spec = { exchange, symbols: [...symbols], delivery, topics, endpoint, worker: { resources } };
    await apply(bed, manifestOf(name, spec));
  }
  const kube = openKube(bed);
  await untilTopicsReady({ kube }, feeds);
  const reader = new Reader(bed, feeds, (line) => print(`  reader: ${line}`));
  const close = async () => {
    reader.close();
    await kube.close();
  };
  return { bed, store, cluster, simulator, feeds, kube, reader, close };
}

async function untilTopicsReady(system: Pick<System, 'kube'>, feeds: readonly Feed[]): Promise<void> {
  await until('the topics of the feeds', topicsMsMax, async () => {
    const objects = await listFeeds(system);
    const isReady = ({ name }: Feed) =>
      objects.some((object) => object.metadata.name === name && conditionOf(object, 'TopicsReady')?.status === 'True');
    return feeds.every(isReady) ? true : undefined;
  });
}

/** What a run that was killed left behind: a packet filter, a service that stands still. */
async function mendBed(store: Store): Promise<void> {
  await mendNode({ store });
  for (const service of ['broker', 'registry'] as const) signalAll([servicePid({ store }, service)], 'SIGCONT');
}
