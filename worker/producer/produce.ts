// One Produce request with batches of several partitions, on a connection of @platformatic/kafka, and what it answers.
// Version 7 is the newest that both Kafka and older Redpanda speak. https://kafka.apache.org/protocol#The_Messages_Produce
import { type Connection, initProducerIdV1, type Reader, Writer } from '@platformatic/kafka';

const produceKey = 0;
const produceVersion = 7;
const allInSync = -1;

/** A broker whose followers are late gives up by itself before the client does, and says why. */
export const acknowledgeMsMax = 8000;

export interface PartitionBatch {
  topic: string;
  partition: number;
  bytes: Buffer;
}

/** @throws NetworkError, TimeoutError: whether the broker took the batches is not known */
export function produce(
  connection: Connection,
  transactionalId: string | null,
  batches: readonly PartitionBatch[],
): Promise<ProduceAnswer> {
  const byTopic = Object.entries(Object.groupBy(batches, ({ topic }) => topic));
  const createPayload = () => {
    const writer = Writer.create().appendString(transactionalId, false);
    writer.appendInt16(allInSync).appendInt32(acknowledgeMsMax).appendInt32(byTopic.length);
    for (const [topic, ofTopic = []] of byTopic) {
      writer.appendString(topic, false).appendInt32(ofTopic.length);
      for (const { partition, bytes } of ofTopic) {
        writer.appendInt32(partition).appendInt32(bytes.length).append(bytes);
      }
    }
    return writer;
  };
  return new Promise((resolve, reject) => {
    const parse = (_correlationId: number, _key: number, _version: number, reader: Reader) => new ProduceAnswer(reader);
    connection.send(produceKey, produceVersion, createPayload, parse, false, false, (error, answer) => {
      if (error || !answer) reject(error ?? new Error('an empty answer'));
      else resolve(answer);
    });
  });
}

/** The broker's error code for each partition. */
export class ProduceAnswer {
  readonly #codes = new Map<string, number>();

  constructor(reader: Reader) {
    for (let topics = reader.readInt32(); topics > 0; topics--) {
      const topic = reader.readString(false);
      for (let partitions = reader.readInt32(); partitions > 0; partitions--) {
        this.#codes.set(`${topic}-${reader.readInt32()}`, reader.readInt16());
        // Offset of the first record, time of the append, start of the log.
        reader.skip(3 * 8);
      }
    }
  }

  /** @returns null where the broker said nothing of the partition */
  codeOf({ topic, partition }: { topic: string; partition: number }): number | null {
    return this.#codes.get(`${topic}-${partition}`) ?? null;
  }
}

/** A number for this producer that the broker has given to nobody else; it lets it drop repeats. */
export async function requestProducerId(connection: Connection): Promise<bigint> {
  // Without a transactional id, the time-out of transactions means nothing.
  const { producerId } = await initProducerIdV1.api.async(connection, null, 0);
  return producerId;
}
