// Brokers to break, the network to them, and a schema registry: one world for the tests of a file. All of it ends with
// the process of the tests.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { provide } from '../cluster/artifact.ts';
import { bedStore } from '../e2e/bed.ts';
import { endsWithUs } from '../services/java.ts';
import { kafka } from '../services/kafka.ts';
import { type ClusterOptions, KafkaCluster } from '../services/kafka-cluster.ts';
import { freePort } from '../services/ports.ts';
import { registry, startRegistry } from '../services/registry.ts';
import { BrokerAdmin } from './broker-admin.ts';
import { BrokerNetwork } from './broker-network.ts';

export interface World {
  cluster: KafkaCluster;
  network: BrokerNetwork;
  admin: BrokerAdmin;
  registryUrl: string;
  /** Every broker and the network as at the start. */
  heal(): Promise<void>;
  close(): Promise<void>;
}

type WorldOptions = Pick<ClusterOptions, 'brokers' | 'properties' | 'prefix'> &
  Partial<Pick<ClusterOptions, 'advertise'>>;

/** Workers come through the network that breaks, unless they are advertised another way: it cannot read TLS. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const store = bedStore(console.log);
  const jars = await provide(store, await kafka());
  const app = await provide(store, await registry());
  const folder = await mkdtemp(join(tmpdir(), 'k2-broker-faults-'));
  const network = new BrokerNetwork();
  const advertise = (_id: number, port: number) => network.proxyFor(port);
  const registryPort = await freePort('127.0.0.1');
  const [cluster, { url, pid }] = await Promise.all([
    KafkaCluster.start({ jars, folder, advertise, ...options }),
    startRegistry(app, folder, '127.0.0.1', registryPort, ['setpriv', ...endsWithUs]),
  ]);
  const admin = await BrokerAdmin.connect(cluster);
  return {
    cluster,
    network,
    admin,
    registryUrl: url,
    async heal() {
      network.open();
      await cluster.heal();
      await admin.untilInSync();
    },
    async close() {
      await admin.close();
      await network.close();
      process.kill(pid, 'SIGKILL');
      await cluster.close();
    },
  };
}
