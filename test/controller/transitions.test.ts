import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Condition } from '../../api/exchange-feed.ts';
import { actionDone, readyTransition, toldActions } from '../../controller/transitions.ts';

const ready = (status: Condition['status'], reason: string): Condition => ({
  type: 'Ready',
  status,
  reason,
  message: 'What was seen.',
  observedGeneration: 1,
  lastTransitionTime: '2026-01-01T00:00:00Z',
});
const isReady = ready('True', 'FeedReady');

test.each([
  ['a feed that becomes Ready', ready('False', 'WorkersStarting'), isReady, 'Normal'],
  ['a feed that is Ready when it is first looked at', undefined, isReady, 'Normal'],
  ['a feed that is Ready no more, since it changes', isReady, ready('False', 'WorkersStarting'), 'Normal'],
  ['what stands in the way', ready('False', 'TopicsPending'), ready('False', 'BrokerUnreachable'), 'Warning'],
  ['what stands in the way next', ready('False', 'BrokerUnreachable'), ready('False', 'InvalidSpec'), 'Warning'],
])('an event tells %s', (_, previous, current, type) => {
  const event = { type, reason: current.reason, note: 'What was seen.', action: 'Reconcile' };
  expect(readyTransition(previous, current)).toEqual(event);
});

test.each([
  ['a reason that stays, whatever its message', isReady, { ...isReady, message: 'Other figures.' }],
  ['a step on the way', ready('False', 'TopicsPending'), ready('False', 'WorkersStarting')],
  ['the first step', undefined, ready('False', 'TopicsPending')],
  ['a status without conditions', undefined, undefined],
])('no event tells %s', (_, previous, current) => {
  expect(readyTransition(previous, current)).toBeNull();
});

test('an event tells what was done to topics and subjects by name', () => {
  const subjects = ['trades-value', 'trades.raw-value'].map((name) => ({ name, schema: '{}' }));
  const note = 'Schemas registered: trades-value, trades.raw-value';
  const event = { type: 'Normal', reason: 'SubjectsRegistered', note, action: 'Apply' };
  expect(actionDone({ target: 'subjects', kind: 'register', subjects })).toEqual(event);
});

test('the reference lists exactly the events there are besides those of Ready, with their type', () => {
  const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const documented = [...read('docs/reference/events.md').matchAll(/^\| `(\w+)` \| (\w+) \|/gm)];
  const inDeletion = [...read('controller/deletion.ts').matchAll(/tell\('(\w+)', '(\w+)'/g)];
  const told = [
    ...[...Object.values(toldActions).map(([reason]) => reason), 'TopicsAdopted'].map((it) => `${it} Normal`),
    ...inDeletion.map(([, type, reason]) => `${reason} ${type}`),
  ];
  expect(documented.map(([, reason, type]) => `${reason} ${type}`).sort()).toEqual([...new Set(told)].sort());
});
