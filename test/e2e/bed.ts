// The running bed as the end-to-end tests see it, and the independent consumer.
import { provide, type Store } from '../cluster/artifact.ts';
import { bedFolders } from '../cluster/folders.ts';
import { readBed } from '../cluster/record.ts';
import { consumer, consumerCommand } from '../consumer/consumer.ts';
import { run } from './process.ts';

export interface Bed {
  cluster: 'local' | 'kind';
  kubeconfig: string;
  kubectl: string;
  helm: string;
  /** Where pods reach this machine, and this machine reaches NodePorts. */
  hostAddress: string;
  nodeAddress: string;
  bootstrapServers: string;
  schemaRegistryUrl: string;
  consumerFolder: string;
}

/** One line of test/consumer/Consumer.java. */
export interface ConsumedRecord {
  partition: number;
  offset: number;
  timestampMs: number;
  key: string | null;
  headers: Record<string, string>;
  /** Base64; without a registry. */
  value?: string;
  /** With a registry. */
  avro?: unknown;
  schemaId?: number;
}

export function bedStore(print: (line: string) => void): Store {
  const folders = bedFolders(process.env);
  return { folders, reporter: { logs: `${folders.state}/log`, print, now: () => performance.now() } };
}

/** @throws Error when no bed with a cluster is up */
export async function openBed(): Promise<Bed> {
  const store = bedStore(console.log);
  const record = await readBed(store.folders.state);
  if (!record?.cluster) throw new Error('no test bed with a cluster is up: run `node test/bed.ts up`, or `make test`');
  const { name, ...access } = record.cluster;
  const consumerFolder = await provide(store, await consumer());
  return { cluster: name, ...access, ...record.services, consumerFolder };
}

/** All records of a topic, in order per partition. @param schemaRegistryUrl given: values are decoded as Avro */
export async function consume(bed: Bed, topic: string, schemaRegistryUrl?: string): Promise<ConsumedRecord[]> {
  const args = [bed.bootstrapServers, topic, ...(schemaRegistryUrl === undefined ? [] : [schemaRegistryUrl])];
  const out = await run('java', consumerCommand(bed.consumerFolder, ...args));
  const lines = out.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as ConsumedRecord);
}
