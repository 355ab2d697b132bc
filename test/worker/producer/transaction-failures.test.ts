import { describe, expect, test } from 'vitest';
import {
  transactionCodes as codes,
  type Meaning,
  meaningOf,
  remedyFor,
  type TransactionRequest,
} from '../../../worker/producer/transaction-failures.ts';

const requests: TransactionRequest[] = ['find coordinator', 'init producer id', 'add partitions', 'produce', 'end'];
const notEnoughReplicas = 19;
const notCoordinator = 16;
const coordinatorLoads = 14;
const unknownServerError = -1;

describe('an error code', () => {
  test.each<[number, Meaning]>([
    [0, 'done'],
    [codes.concurrentTransactions, 'busy'],
    [codes.producerFenced, 'fenced'],
    [codes.transactionalIdAuthorizationFailed, 'refused'],
    [codes.topicAuthorizationFailed, 'refused'],
    [codes.invalidTransactionTimeout, 'refused'],
    [codes.unsupportedVersion, 'refused'],
    [notCoordinator, 'again'],
    [coordinatorLoads, 'again'],
    [notEnoughReplicas, 'again'],
    [unknownServerError, 'again'],
    [9999, 'again'],
  ])('%i means %s, whatever it answers', (code, meaning) => {
    expect(requests.map((request) => meaningOf(request, code))).toEqual(requests.map(() => meaning));
  });

  test.each([
    codes.outOfOrderSequence,
    codes.unknownProducerId,
    codes.invalidProducerEpoch,
    codes.invalidTransactionState,
    codes.invalidProducerIdMapping,
    codes.transactionAbortable,
  ])('%i ends a transaction, and refuses the next epoch to one who is fenced', (code) => {
    expect(meaningOf('add partitions', code)).toBe('abort');
    expect(meaningOf('produce', code)).toBe('abort');
    expect(meaningOf('end', code)).toBe('abort');
    expect(meaningOf('init producer id', code)).toBe('fenced');
  });

  test('that a person can cure says how', () => {
    expect(remedyFor(codes.transactionalIdAuthorizationFailed)).toMatch(/Write and Describe on the transactional id/);
    expect(remedyFor(codes.invalidTransactionTimeout)).toMatch(/transaction\.max\.timeout\.ms/);
    expect(remedyFor(notCoordinator)).toBeNull();
  });
});
