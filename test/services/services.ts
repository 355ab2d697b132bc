// Broker and schema registry, started together: empty each time, and alive until the bed goes down.
import { provide, type Store } from '../cluster/artifact.ts';
import type { ServiceUrls } from '../cluster/cluster.ts';
import { step } from '../cluster/step.ts';
import { kafka, startKafka } from './kafka.ts';
import { freePort } from './ports.ts';
import { registry, startRegistry } from './registry.ts';

export interface Services extends ServiceUrls {
  pids: number[];
}

export interface ServiceAddress {
  /** Where they listen and what they advertise: it must be reached by all who use them. */
  address: string;
  /** Chosen by the kernel when left out. */
  ports?: { kafka: number; registry: number };
}

export async function startServices(store: Store, at: ServiceAddress): Promise<Services> {
  const jars = await provide(store, await kafka());
  const app = await provide(store, await registry());
  const { state } = store.folders;
  const ports = at.ports ?? { kafka: await freePort(at.address), registry: await freePort(at.address) };
  const whatNext = `look into ${state}/log/kafka.log and registry.log; \`make down\` takes away what is left`;
  return step(store.reporter, `Kafka and schema registry: start on ${at.address}`, whatNext, async () => {
    const [broker, schemas] = await Promise.all([
      startKafka(jars, state, at.address, ports.kafka),
      startRegistry(app, state, at.address, ports.registry),
    ]);
    return {
      bootstrapServers: broker.bootstrapServers,
      schemaRegistryUrl: schemas.url,
      pids: [broker.pid, schemas.pid],
    };
  });
}
