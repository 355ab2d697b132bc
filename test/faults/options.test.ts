import { expect, test } from 'vitest';
import { parseOptions } from './options.ts';

const names = ['pod-deleted', 'broker-killed'];

test('a run has 30 faults of seed 1 unless told otherwise', () => {
  expect(parseOptions({}, names)).toEqual({
    faults: 30,
    seed: '1',
    minutes: null,
    kinds: null,
    delivery: 'ExactlyOnce',
  });
  // Make passes a variable that is not set as an empty one.
  expect(parseOptions({ FAULTS: '', SEED: '', MINUTES: '', KINDS: '', DELIVERY: '' }, names)).toEqual(
    parseOptions({}, names),
  );
});

test('each of them can be set', () => {
  const numbers = { FAULTS: '500', SEED: 'abc', MINUTES: '90' };
  const env = { ...numbers, KINDS: 'broker-killed, pod-deleted', DELIVERY: 'AtLeastOnce' };
  const kinds = ['broker-killed', 'pod-deleted'];
  const delivery = 'AtLeastOnce';
  expect(parseOptions(env, names)).toEqual({ faults: 500, seed: 'abc', minutes: 90, kinds, delivery });
});

test.each([
  [{ FAULTS: '0' }, "FAULTS is '0': it must be 1 to 100000, for example FAULTS=30"],
  [{ FAULTS: 'many' }, "FAULTS is 'many'"],
  [{ MINUTES: '1.5' }, "MINUTES is '1.5': it must be 1 to 10080, for example MINUTES=60"],
  [{ DELIVERY: 'once' }, "DELIVERY is 'once': it must be ExactlyOnce or AtLeastOnce"],
  [{ KINDS: 'pod-deletd' }, "KINDS names 'pod-deletd', which is none of pod-deleted, broker-killed"],
])('%j is refused by name', (env, words) => {
  expect(() => parseOptions(env, names)).toThrow(words);
});
