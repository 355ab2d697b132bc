import { describe, expect, test } from 'vitest';
import { covers } from '../../controller/covers.ts';

const applied = {
  metadata: { labels: { a: '1' } },
  spec: { replicas: 1, containers: [{ name: 'worker', resources: { limits: { cpu: '1000m', memory: '1024Mi' } } }] },
};

describe('a stored object covers what is applied', () => {
  test('when the server added defaults and others added fields and list entries', () => {
    const stored = {
      metadata: { labels: { a: '1', b: '2' }, uid: 'x' },
      spec: {
        replicas: 1,
        paused: false,
        containers: [
          { name: 'sidecar', resources: {} },
          { name: 'worker', resources: { limits: { cpu: '1', memory: '1Gi' } }, env: [] },
        ],
      },
    };
    expect(covers(stored, applied)).toBe(true);
  });

  test.each([
    ['0.7', '700m'],
    ['0.29', '290m'],
    ['1Gi', '1024Mi'],
    ['1', 1],
    ['1000', '1k'],
  ])('when a quantity is only written differently: %s and %s', (stored, wanted) => {
    expect(covers({ cpu: stored }, { cpu: wanted })).toBe(true);
  });
});

describe('a stored object does not cover what is applied', () => {
  test.each([
    ['a value differs', { ...applied, spec: { ...applied.spec, replicas: 2 } }],
    ['a label is missing', { ...applied, metadata: { labels: {} } }],
    ['a named entry is missing', { ...applied, spec: { ...applied.spec, containers: [{ name: 'other' }] } }],
    ['a list is missing', { ...applied, spec: { replicas: 1 } }],
    ['it is no object', null],
  ])('when %s', (_, stored) => {
    expect(covers(stored, applied)).toBe(false);
  });

  test.each([
    ['500m', '501m'],
    ['1Gi', '1G'],
    ['1', '1m'],
    ['', '0'],
  ])('when a quantity is another one: %s and %s', (stored, wanted) => {
    expect(covers({ cpu: stored }, { cpu: wanted })).toBe(false);
  });
});
