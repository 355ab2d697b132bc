// The requests of a transaction, on a connection of @platformatic/kafka: values in, error codes and values out.
// Versions that Kafka from 2.5 to 4 and Redpanda from 22.3 have in common ("transactions version 1"). The library's own
// parsers throw, and know some codes only. https://kafka.apache.org/protocol#The_Messages_InitProducerId
import {
  addPartitionsToTxnV3,
  type Connection,
  endTxnV3,
  FindCoordinatorKeyTypes,
  findCoordinatorV2,
  initProducerIdV3,
  type Reader,
  type Writer,
} from '@platformatic/kafka';

export interface ProducerIdentity {
  producerId: bigint;
  epoch: number;
}

/** Topic -> partitions. */
export type Partitions = ReadonlyMap<string, readonly number[]>;

interface Api<Answer> {
  key: number;
  version: number;
  /** Whether its headers hold tagged fields, as newer versions do. */
  isFlexible: boolean;
  parse: (reader: Reader) => Answer;
}

/** Each with the version that is spoken. */
export const transactionApis = {
  findCoordinator: { key: 10, version: 2, isFlexible: false, parse: readCoordinator },
  initProducerId: { key: 22, version: 3, isFlexible: true, parse: readProducer },
  addPartitions: { key: 24, version: 3, isFlexible: true, parse: readPartitions },
  end: { key: 26, version: 3, isFlexible: true, parse: readEnd },
};

/** For InitProducerId: takes the id, whoever has it. The library's own transactions send 0 and 0, and are fenced. */
const nobody: ProducerIdentity = { producerId: -1n, epoch: -1 };

export const findCoordinator = (connection: Connection, transactionalId: string) =>
  ask(connection, transactionApis.findCoordinator, () =>
    findCoordinatorV2.createRequest(FindCoordinatorKeyTypes.TRANSACTION, [transactionalId]),
  );

/** @param present asks for the next epoch, which the broker gives to nobody else's; null: takes the id */
export const initProducerId = (
  connection: Connection,
  transactionalId: string,
  timeoutMs: number,
  present: ProducerIdentity | null,
) => {
  const { producerId, epoch } = present ?? nobody;
  const create = () => initProducerIdV3.createRequest(transactionalId, timeoutMs, producerId, epoch);
  return ask(connection, transactionApis.initProducerId, create);
};

export const addPartitions = (
  connection: Connection,
  transactionalId: string,
  { producerId, epoch }: ProducerIdentity,
  partitions: Partitions,
) => {
  const topics = [...partitions].map(([name, numbers]) => ({ name, partitions: [...numbers] }));
  const transaction = { transactionalId, producerId, producerEpoch: epoch, verifyOnly: false, topics };
  return ask(connection, transactionApis.addPartitions, () => addPartitionsToTxnV3.createRequest([transaction]));
};

export const endTransaction = (
  connection: Connection,
  transactionalId: string,
  { producerId, epoch }: ProducerIdentity,
  isCommit: boolean,
) => ask(connection, transactionApis.end, () => endTxnV3.createRequest(transactionalId, producerId, epoch, isCommit));

/** @throws NetworkError, TimeoutError: what the request has done is not known */
function ask<Answer>(connection: Connection, api: Api<Answer>, create: () => Writer): Promise<Answer> {
  const { key, version, isFlexible, parse } = api;
  return new Promise((resolve, reject) => {
    const parser = (_correlationId: number, _key: number, _version: number, reader: Reader) => {
      const throttleMsBytes = 4;
      reader.skip(throttleMsBytes);
      return parse(reader);
    };
    connection.send(key, version, create, parser, isFlexible, isFlexible, (error, answer) => {
      if (error || !answer) reject(error ?? new Error('an empty answer'));
      else resolve(answer);
    });
  });
}

function readCoordinator(reader: Reader) {
  const code = reader.readInt16();
  reader.readNullableString(false);
  reader.readInt32();
  return { codes: [code], host: reader.readString(false), port: reader.readInt32() };
}

function readProducer(reader: Reader) {
  const code = reader.readInt16();
  return { codes: [code], producerId: reader.readInt64(), epoch: reader.readInt16() };
}

/** A code for each partition. */
function readPartitions(reader: Reader) {
  const topics = reader.readArray(
    () => {
      reader.readString();
      const codes = reader.readArray(
        () => {
          reader.readInt32();
          const code = reader.readInt16();
          reader.readTaggedFields();
          return code;
        },
        true,
        false,
      );
      reader.readTaggedFields();
      return codes;
    },
    true,
    false,
  );
  return { codes: topics.flat() };
}

function readEnd(reader: Reader) {
  return { codes: [reader.readInt16()] };
}
