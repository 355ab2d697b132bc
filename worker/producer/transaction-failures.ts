// What a broker's error code means for a transaction, by the request that it answers. Pure.
// The codes: https://kafka.apache.org/protocol#protocol_error_codes; how a client is to take them:
// https://cwiki.apache.org/confluence/display/KAFKA/KIP-360%3A+Improve+reliability+of+idempotent+and+transactional+producer

export type TransactionRequest = 'find coordinator' | 'init producer id' | 'add partitions' | 'produce' | 'end';

/**
 * - again: the same request, after a while, to whoever is responsible then
 * - busy: the same, but soon: the coordinator still completes the transaction before
 * - abort: this transaction cannot be committed; its records can, in another one under a greater epoch
 * - fenced: another has taken the transactional id
 * - refused: as long as nobody changes the broker's settings
 */
export type Meaning = 'done' | 'again' | 'busy' | 'abort' | 'fenced' | 'refused';

export const transactionCodes = {
  unknownTopicOrPartition: 3,
  topicAuthorizationFailed: 29,
  clusterAuthorizationFailed: 31,
  unsupportedVersion: 35,
  invalidRequest: 42,
  unsupportedForMessageFormat: 43,
  outOfOrderSequence: 45,
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  invalidTransactionState: 48,
  invalidProducerIdMapping: 49,
  invalidTransactionTimeout: 50,
  concurrentTransactions: 51,
  transactionalIdAuthorizationFailed: 53,
  unknownProducerId: 59,
  producerFenced: 90,
  transactionAbortable: 120,
} as const;

const meanings = new Map<number, Meaning>([
  [0, 'done'],
  [transactionCodes.duplicateSequence, 'done'],
  [transactionCodes.concurrentTransactions, 'busy'],
  [transactionCodes.producerFenced, 'fenced'],
  [transactionCodes.outOfOrderSequence, 'abort'],
  [transactionCodes.unknownProducerId, 'abort'],
  // What a fenced producer is told as well. The coordinator knows better, and is asked for the next epoch.
  [transactionCodes.invalidProducerEpoch, 'abort'],
  [transactionCodes.invalidTransactionState, 'abort'],
  [transactionCodes.invalidProducerIdMapping, 'abort'],
  [transactionCodes.transactionAbortable, 'abort'],
  [transactionCodes.topicAuthorizationFailed, 'refused'],
  [transactionCodes.clusterAuthorizationFailed, 'refused'],
  [transactionCodes.transactionalIdAuthorizationFailed, 'refused'],
  [transactionCodes.invalidTransactionTimeout, 'refused'],
  [transactionCodes.unsupportedVersion, 'refused'],
  [transactionCodes.invalidRequest, 'refused'],
  [transactionCodes.unsupportedForMessageFormat, 'refused'],
]);

/** Whatever is not known is tried again: nothing is lost by it, and it is told. */
export function meaningOf(request: TransactionRequest, code: number): Meaning {
  const meaning = meanings.get(code) ?? 'again';
  // A greater epoch is what would cure it, and is what was just refused. Before its version 4, and from Redpanda, the
  // answer to a fenced producer is INVALID_PRODUCER_EPOCH.
  if (request === 'init producer id' && meaning === 'abort') return 'fenced';
  // Made anew with fewer partitions, perhaps: each transaction after an aborted one asks for them again.
  if (request === 'add partitions' && code === transactionCodes.unknownTopicOrPartition) return 'abort';
  return meaning;
}

const remedies = new Map<number, string>([
  [
    transactionCodes.transactionalIdAuthorizationFailed,
    "allow the worker's user Write and Describe on the transactional id, or set delivery: AtLeastOnce",
  ],
  [transactionCodes.topicAuthorizationFailed, "allow the worker's user Write and Describe on the topic"],
  [
    transactionCodes.clusterAuthorizationFailed,
    "allow the worker's user IdempotentWrite on the cluster, or set delivery: AtLeastOnce",
  ],
  [transactionCodes.invalidTransactionTimeout, "let the broker's transaction.max.timeout.ms be a minute or more"],
  [transactionCodes.unsupportedForMessageFormat, "let the topic's message.format.version be 0.11 or newer"],
]);

/** What a person can do about it; null where nothing is known. */
export const remedyFor = (code: number): string | null => remedies.get(code) ?? null;

/** Ends a transaction, or all of them; the message is one sentence. */
export class TransactionError extends Error {
  readonly meaning: 'abort' | 'fenced' | 'refused';

  constructor(meaning: 'abort' | 'fenced' | 'refused', message: string) {
    super(message);
    this.meaning = meaning;
  }
}
