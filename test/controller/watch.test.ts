import { expect, test } from 'vitest';
import { type ExchangeFeed, pauseReconciliationAnnotation, restartAnnotation } from '../../api/exchange-feed.ts';
import { needsReconcile } from '../../controller/watch.ts';
import { sampleFeed } from './sample-feed.ts';

const changed = (metadata: Partial<ExchangeFeed['metadata']>): ExchangeFeed => {
  const feed = sampleFeed();
  return { ...feed, metadata: { ...feed.metadata, ...metadata } };
};

test.each<[string, ExchangeFeed | null, ExchangeFeed | null]>([
  ['a new feed', null, sampleFeed()],
  ['a feed that is gone', sampleFeed(), null],
  ['another spec', sampleFeed(), changed({ generation: 2 })],
  ['another feed of the same name', sampleFeed(), changed({ uid: 'other' })],
  ['the beginning of a deletion', sampleFeed(), changed({ deletionTimestamp: '2026-01-01T00:00:00Z' })],
  ['a finalizer that somebody took away', changed({ finalizers: ['a'] }), changed({ finalizers: [] })],
  [
    'the pause of its reconciliation',
    sampleFeed(),
    changed({ annotations: { [pauseReconciliationAnnotation]: 'true' } }),
  ],
  ['the end of that pause', changed({ annotations: { [pauseReconciliationAnnotation]: 'true' } }), sampleFeed()],
  [
    'another wish for a restart',
    changed({ annotations: { [restartAnnotation]: '1' } }),
    changed({ annotations: { [restartAnnotation]: '2' } }),
  ],
])('%s is worth a reconcile', (_, previous, current) => {
  expect(needsReconcile(previous, current)).toBe(true);
});

test('an annotation of somebody else is not worth a reconcile', () => {
  expect(needsReconcile(sampleFeed(), changed({ annotations: { 'example.com/team': 'a' } }))).toBe(false);
});

test('our own status write is not worth a reconcile', () => {
  const written = { ...changed({ resourceVersion: '11' }), status: { symbols: 2 } };
  expect(needsReconcile(sampleFeed(), written)).toBe(false);
});
