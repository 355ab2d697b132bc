// What tests ask of brokers, and change on them, as a person with rights would: over the brokers' own ports, so that a
// broken network does not keep tests from it.
import { type Base, describeProducersV0, listTransactionsV1, Admin as ProtocolAdmin } from '@platformatic/kafka';
import {
  type AclEntry,
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  type Admin,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { createClient } from '../../worker/producer/client.ts';
import { findCoordinator } from '../../worker/producer/transaction-requests.ts';
import { until } from '../cluster/until.ts';
import type { KafkaCluster } from '../services/kafka-cluster.ts';

/** A broker that died is out after 3 s, and one that comes back has everything again after some seconds more. */
const settleMs = 60_000;
const workerClientId = 'k2-worker-binance';
const quota = 'producer_byte_rate';

export class BrokerAdmin {
  readonly topics: Admin;
  readonly #cluster: KafkaCluster;
  /** For what kafkajs does not speak. */
  readonly #protocol: ProtocolAdmin;

  private constructor(cluster: KafkaCluster, topics: Admin, protocol: ProtocolAdmin) {
    this.#cluster = cluster;
    this.topics = topics;
    this.#protocol = protocol;
  }

  static async connect(cluster: KafkaCluster): Promise<BrokerAdmin> {
    const brokers = cluster.bootstrapServers.split(',');
    const client = new Kafka({ clientId: 'faults', brokers, logLevel: logLevel.NOTHING, retry: { retries: 20 } });
    const topics = client.admin();
    await topics.connect();
    const protocol = new ProtocolAdmin({ clientId: 'faults', bootstrapBrokers: brokers, retries: 10 });
    return new BrokerAdmin(cluster, topics, protocol);
  }

  /** The broker that leads a partition. */
  leaderOf(topic: string, partition = 0): Promise<number> {
    return this.#ask(async (client) => {
      const { topics } = await client.metadata({ topics: [topic] });
      const leader = topics.get(topic)?.partitions[partition]?.leader ?? -1;
      if (leader < 0) throw new Error(`partition ${partition} of ${topic} has no leader`);
      return leader;
    });
  }

  /** The broker that is the coordinator of every transactional id. */
  coordinator(): Promise<number> {
    return this.#ask(async (client, address) => {
      const { codes, port } = await findCoordinator(await client.connections.get(address), 'any');
      if (codes[0] !== 0) throw new Error(`no coordinator: error code ${codes[0]}`);
      return this.#cluster.idOf(port);
    });
  }

  /** Transactional ids that hold up readers of committed records. */
  openTransactions(): Promise<string[]> {
    return this.#transactions(['ONGOING']);
  }

  /** All that the coordinator knows. */
  transactionalIds(): Promise<string[]> {
    return this.#transactions([]);
  }

  /** Producers that the leader of partition 0 of a topic knows. */
  async producersOf(topic: string): Promise<bigint[]> {
    const leader = this.#cluster.addressOf(await this.leaderOf(topic));
    const connection = await this.#protocol.connections.get(leader);
    const topics = [{ name: topic, partitionIndexes: [0] }];
    const answer = await describeProducersV0.api.async(connection, topics);
    return answer.topics.flatMap(({ partitions }) =>
      partitions.flatMap(({ activeProducers }) => activeProducers.map(({ producerId }) => producerId)),
    );
  }

  /** Nobody may write under this id any more. */
  async deny(transactionalId: string): Promise<void> {
    await this.topics.createAcls({ acl: [denialOf(transactionalId)] });
  }

  async allow(transactionalId: string): Promise<void> {
    await this.topics.deleteAcls({ filters: [denialOf(transactionalId)] });
  }

  /** Bytes a second that a worker may write; null: as many as it can. */
  async limitWrites(bytesPerSecond: number | null): Promise<void> {
    const ops = bytesPerSecond === null ? removal : [{ key: quota, remove: false, value: bytesPerSecond } as const];
    const entities = [{ entityType: 'client-id' as const, entityName: workerClientId }];
    await this.#protocol.alterClientQuotas({ entries: [{ entities, ops }] });
  }

  /** Every partition has all of its copies in sync. */
  async untilInSync(): Promise<void> {
    await until('every partition to be in sync', settleMs, async () => {
      const { topics } = await this.topics.fetchTopicMetadata();
      const partitions = topics.flatMap((topic) => topic.partitions);
      return partitions.every(({ isr, replicas }) => isr.length === replicas.length) ? true : undefined;
    });
  }

  async #transactions(states: 'ONGOING'[]): Promise<string[]> {
    const coordinator = this.#cluster.addressOf(await this.coordinator());
    const connection = await this.#protocol.connections.get(coordinator);
    const { transactionStates } = await listTransactionsV1.api.async(connection, states, [], -1n, null);
    return transactionStates.map(({ transactionalId }) => transactionalId);
  }

  /** One that is not paused: a client of a list of brokers would wait for one that is. */
  async #ask<T>(question: (client: Base, address: { host: string; port: number }) => Promise<T>): Promise<T> {
    const address = this.#cluster.addressOf(this.#cluster.answering());
    const client = createClient({ clientId: 'faults', bootstrapServers: [`${address.host}:${address.port}`] });
    return question(client, address).finally(() => client.close());
  }

  async close(): Promise<void> {
    await this.topics.disconnect();
    await this.#protocol.close();
  }
}

const removal = [{ key: quota, remove: true } as const];

const denialOf = (resourceName: string): AclEntry => ({
  resourceType: AclResourceTypes.TRANSACTIONAL_ID,
  resourceName,
  resourcePatternType: ResourcePatternTypes.LITERAL,
  principal: 'User:ANONYMOUS',
  host: '*',
  operation: AclOperationTypes.WRITE,
  permissionType: AclPermissionTypes.DENY,
});
