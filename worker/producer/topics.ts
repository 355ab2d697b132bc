// The topics written to, their partitions with what each is to receive, and which broker leads which.
import type { Base, Broker } from '@platformatic/kafka';
import { explained } from './client.ts';
import { describeSilence } from './failures.ts';
import { partitionHash } from './partition.ts';
import { PartitionQueue } from './partition-queue.ts';
import type { ProducerRecord } from './producer.ts';

/** Keys whose partition is remembered; more than the symbols of any feed. */
const keysMax = 10_000;

interface Topic {
  /** By partition; empty until the broker has told of them. */
  queues: PartitionQueue[];
  /** By partition; undefined: none at the moment. */
  leaders: (Broker | undefined)[];
  /** What came before the partitions were known. */
  unassigned: ProducerRecord[];
}

class MissingTopic extends Error {
  constructor(name: string, where = '') {
    super(`topic ${name} does not exist${where}; the controller makes it, or: rpk topic create ${name}`);
  }
}

export class Topics {
  readonly #client: Base;
  readonly #topics = new Map<string, Topic>();
  readonly #hashes = new Map<string, number>();

  constructor(client: Base) {
    this.#client = client;
  }

  add(record: ProducerRecord): void {
    this.#assign(this.#topic(record.topic), record);
  }

  /** Whether records wait for the broker to tell of their topic's partitions. */
  areUnknown(): boolean {
    for (const { unassigned } of this.#topics.values()) if (unassigned.length > 0) return true;
    return false;
  }

  /** Queues that hold something, each with the leader of its partition as last heard. */
  *toWrite(): Generator<{ queue: PartitionQueue; leader: Broker | undefined }> {
    for (const { queues, leaders } of this.#topics.values()) {
      for (const queue of queues) if (!queue.isEmpty()) yield { queue, leader: leaders[queue.partition] };
    }
  }

  /** Topic -> partitions that hold something. */
  partitionsToWrite(): Map<string, number[]> {
    const partitions = new Map<string, number[]>();
    for (const { queue } of this.toWrite()) {
      partitions.set(queue.topic, [...(partitions.get(queue.topic) ?? []), queue.partition]);
    }
    return partitions;
  }

  /** Asks for each topic by itself, so that what is wrong with one does not keep the others from being read. */
  async learnAll(): Promise<void> {
    const answers = await Promise.allSettled([...this.#topics.keys()].map((name) => this.learn(name)));
    for (const answer of answers) if (answer.status === 'rejected') throw answer.reason;
  }

  /** @throws Error when no broker answers, the topic does not exist, or a partition of it has no leader */
  async learn(name: string): Promise<void> {
    const asked = this.#client.metadata({ topics: [name], forceUpdate: true, retries: 0 });
    const { brokers, topics } = await asked.catch((error: Error) => {
      // The client has no code of its own for it: only this sentence.
      throw /^Unknown topic/.test(error.message) ? new MissingTopic(name) : error;
    });
    const partitions = topics.get(name)?.partitions ?? [];
    const topic = this.#topic(name);
    topic.leaders = partitions.map(({ leader }) => brokers.get(leader));
    for (let partition = topic.queues.length; partition < partitions.length; partition++) {
      topic.queues.push(new PartitionQueue(name, partition));
    }
    if (topic.queues.length > 0) for (const record of topic.unassigned.splice(0)) this.#assign(topic, record);
  }

  /**
   * Asks the broker for the topics; never creates one.
   * @throws Error in one sentence: which topic is missing, or why the broker does not answer
   */
  async check(names: string[], servers: string): Promise<void> {
    for (const name of names) {
      try {
        await this.learn(name);
      } catch (error) {
        if (error instanceof MissingTopic) throw new MissingTopic(name, ` on broker ${servers}`);
        throw new Error(describeSilence(servers, name, explained(this.#client, error as Error)), { cause: error });
      }
    }
  }

  /** Drops all that is waiting or under way, and what is known of topics: one may have been made anew. */
  reset(): void {
    this.#topics.clear();
  }

  #topic(name: string): Topic {
    const known = this.#topics.get(name);
    if (known) return known;
    const topic: Topic = { queues: [], leaders: [], unassigned: [] };
    this.#topics.set(name, topic);
    return topic;
  }

  #assign({ queues, unassigned }: Topic, record: ProducerRecord): void {
    const queue = queues[record.key === null ? 0 : this.#hash(record.key) % queues.length];
    if (queue) queue.add(record);
    else unassigned.push(record);
  }

  #hash(key: string): number {
    const known = this.#hashes.get(key);
    if (known !== undefined) return known;
    if (this.#hashes.size >= keysMax) this.#hashes.clear();
    const hash = partitionHash(Buffer.from(key));
    this.#hashes.set(key, hash);
    return hash;
  }
}
