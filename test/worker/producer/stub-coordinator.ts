// The requests of transactions on the stub cluster's sockets: bytes to the model of a coordinator, and back.
import type { Reader, Writer } from '@platformatic/kafka';
import type { ModelCoordinator } from './model-coordinator.ts';

export const coordinatorKeys = { initProducerId: 22, addPartitions: 24, end: 26 };

export type CoordinatorRequest = 'init' | 'add' | 'commit' | 'abort';

export interface Asked {
  kind: CoordinatorRequest;
  id: string;
  producer: { producerId: bigint; epoch: number };
  /** To be added. */
  topics: { topic: string; partitions: number[] }[];
}

export function readAsked(request: Reader, key: number): Asked {
  request.readTaggedFields();
  const id = request.readString();
  const timeoutMsBytes = 4;
  if (key === coordinatorKeys.initProducerId) request.skip(timeoutMsBytes);
  const producer = { producerId: request.readInt64(), epoch: request.readInt16() };
  if (key === coordinatorKeys.initProducerId) return { kind: 'init', id, producer, topics: [] };
  if (key === coordinatorKeys.end)
    return { kind: request.readBoolean() ? 'commit' : 'abort', id, producer, topics: [] };
  const topics = request.readArray((reader) => {
    return { topic: reader.readString(), partitions: reader.readArray(() => reader.readInt32(), true, false) };
  });
  return { kind: 'add', id, producer, topics };
}

export interface Done {
  code: number;
  producerId: bigint;
  epoch: number;
}

export function perform(coordinator: ModelCoordinator, { kind, id, producer, topics }: Asked): Done {
  if (kind === 'init') return coordinator.init(id, producer);
  if (kind !== 'add') return { ...producer, code: coordinator.end(id, producer, kind === 'commit') };
  const partitions = topics.flatMap(({ partitions }) => partitions);
  return { ...producer, code: coordinator.add(id, producer, partitions) };
}

export function writeDone(answer: Writer, { kind, topics }: Asked, { code, producerId, epoch }: Done): Writer {
  const throttleMs = 0;
  answer.appendTaggedFields().appendInt32(throttleMs);
  if (kind === 'init') answer.appendInt16(code).appendInt64(producerId).appendInt16(epoch);
  else if (kind !== 'add') answer.appendInt16(code);
  else {
    // The same code for each partition.
    answer.appendArray(topics, (writer, { topic, partitions }) => {
      writer.appendString(topic).appendArray(partitions, (inner, partition) => {
        inner.appendInt32(partition).appendInt16(code);
      });
    });
  }
  return answer.appendTaggedFields();
}
