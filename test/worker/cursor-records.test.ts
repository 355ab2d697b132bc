import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Cursor, gapsMax, lostMax } from '../../worker/continuity.ts';
import { cursorRecord, FeedView, type OwnerRecord, ownerRecord } from '../../worker/cursor-records.ts';
import type { ProducerRecord } from '../../worker/producer/producer.ts';

const place = { topic: 'cursors', feed: 'default/binance' };
const cursor: Cursor = {
  lastId: 123n,
  timeMs: 1_700_000_000_000,
  gaps: [{ firstId: 5n, lastId: 7n, afterTimeMs: 1_699_999_999_999 }],
  lost: [{ firstId: 1n, lastId: 2n, missing: 2n, why: 'too old', timeMs: 1_699_999_999_990 }],
  resetTimeMs: null,
  counts: { written: 118, repaired: 3, duplicates: 0, sinceMs: 1_699_999_999_980 },
};
const owner: OwnerRecord = { instance: 'pod-1', state: 'owning', symbols: ['BTCUSDT'], fenced: new Map() };

/** Folds records as a topic would give them; a text is a value under the key of the record before. */
function fold(...records: (ProducerRecord | string | null)[]) {
  const view = new FeedView(place.feed, 0);
  let key = '';
  const folded = records.map((record, offset) => {
    const isBare = record === null || typeof record === 'string';
    if (!isBare) key = record.key ?? '';
    const value = isBare ? (record === null ? null : Buffer.from(record)) : record.value;
    return view.fold({ offset: BigInt(offset), key: Buffer.from(key), value });
  });
  return { view, folded };
}

describe('a record is text that a person can read', () => {
  test('of a cursor', () => {
    const { key, value } = cursorRecord(place, 'BTCUSDT', { ...cursor, lost: [] }, 9);
    expect(key).toBe('cursor default/binance BTCUSDT');
    expect(String(value)).toBe(
      '{"lastId":"123","timeMs":1700000000000,"gaps":[{"firstId":"5","lastId":"7","afterTimeMs":1699999999999}],' +
        '"counts":{"written":118,"repaired":3,"duplicates":0,"sinceMs":1699999999980}}',
    );
  });

  test('of an owner', () => {
    const { topic, key, value } = ownerRecord(place, 3, { ...owner, fenced: new Map([[1, 7n]]) }, 9);
    expect([topic, key]).toEqual(['cursors', 'owner default/binance 3']);
    expect(String(value)).toBe('{"instance":"pod-1","state":"owning","symbols":["BTCUSDT"],"fenced":{"1":"7"}}');
  });
});

describe('records folded in order give a view', () => {
  test('with the last of each key, and the offset of each owner', () => {
    const released = { ...owner, state: 'released' as const, fenced: new Map([[2, 40n]]) };
    const { view, folded } = fold(
      cursorRecord(place, 'BTCUSDT', { ...cursor, lastId: 500_000n }, 0),
      ownerRecord(place, 0, owner, 0),
      // Ids began anew: less is later.
      cursorRecord(place, 'BTCUSDT', { ...cursor, resetTimeMs: 17 }, 0),
      ownerRecord(place, 0, released, 0),
    );
    expect(folded.map(({ kind }) => kind)).toEqual(['cursor', 'owner', 'cursor', 'owner']);
    expect([...view.cursors]).toEqual([['BTCUSDT', { ...cursor, resetTimeMs: 17 }]]);
    expect([...view.owners]).toEqual([[0, { ...released, offset: 3n, heardMs: 0 }]]);
  });

  test('of one feed alone, whatever else is in the topic', () => {
    const other = { ...place, feed: 'default/binance-2' };
    const { view, folded } = fold(
      cursorRecord(other, 'BTCUSDT', cursor, 0),
      ownerRecord(other, 0, owner, 0),
      { ...ownerRecord(place, 0, owner, 0), key: 'something else' },
      { ...ownerRecord(place, 0, owner, 0), key: null },
    );
    expect(folded.every(({ kind }) => kind === 'other')).toBe(true);
    expect([view.owners.size, view.cursors.size]).toEqual([0, 0]);
  });

  test('without what a record without a value takes away', () => {
    const { view } = fold(cursorRecord(place, 'BTCUSDT', cursor, 0), null);
    expect(view.cursors.size).toBe(0);
  });

  test('whose owners were heard when the clock moved over them, and not before', () => {
    const { view } = fold(ownerRecord(place, 0, owner, 0));
    view.tick(500);
    view.tick(1000);
    expect([view.clockMs, view.owners.get(0)?.heardMs]).toEqual([1000, 500]);
  });
});

test.each([
  ['rubbish', 'its value is not JSON'],
  ['{"lastId":123,"timeMs":5,"gaps":[]}', 'lastId'],
  ['{"lastId":"12a","timeMs":5,"gaps":[]}', 'lastId is not a number in quotes'],
  ['{"lastId":"1","timeMs":"x","gaps":[]}', 'timeMs is not a number of milliseconds'],
  ['{"lastId":"1","timeMs":5,"gaps":[{"firstId":"1"}]}', 'gaps.0.lastId'],
  ['{"lastId":"1","timeMs":5,"gaps":[],"counts":{"written":-1}}', 'counts.written is not a count'],
  ['null', ''],
])('a value that cannot be read is told and changes nothing: %s', (text, problem) => {
  const { view, folded } = fold(cursorRecord(place, 'BTCUSDT', cursor, 0), text);
  expect(folded[1]).toMatchObject({ kind: 'unreadable' });
  expect(JSON.stringify(folded[1])).toContain("'cursor default/binance BTCUSDT' at offset 1 is skipped");
  expect(JSON.stringify(folded[1])).toContain(problem);
  expect(view.cursors.get('BTCUSDT')).toEqual(cursor);
});

test('a cursor of an older version, without counts and times of losses, is read', () => {
  const lost = '"lost":[{"firstId":"1","lastId":"2","missing":"2","why":"too old"}]';
  const { view } = fold(cursorRecord(place, 'BTCUSDT', cursor, 0), `{"lastId":"9","timeMs":5,"gaps":[],${lost}}`);
  expect(view.cursors.get('BTCUSDT')).toEqual({
    lastId: 9n,
    timeMs: 5,
    gaps: [],
    lost: [{ firstId: 1n, lastId: 2n, missing: 2n, why: 'too old' }],
    resetTimeMs: null,
  });
});

test('an owner record under no shard number, or in no known state, is told and skipped', () => {
  const record = ownerRecord(place, 0, owner, 0);
  const { view, folded } = fold({ ...record, key: `owner ${place.feed} x` }, record, '{"state":"gone"}');
  expect(folded[0]).toMatchObject({ kind: 'unreadable', why: expect.stringContaining("'x' is not a shard's number") });
  expect(folded[2]).toMatchObject({ kind: 'unreadable' });
  expect(view.owners.get(0)?.state).toBe('owning');
});

test('the reference page shows records as they are written', () => {
  const page = readFileSync(new URL('../../docs/reference/cursor-topic.md', import.meta.url), 'utf8');
  const shown = [...page.matchAll(/^(owner|cursor) (\S+) (\S+) +(\{.*\})$/gm)];
  expect(shown.length).toBe(4);
  for (const [, kind, feed = '', name = '', value = ''] of shown) {
    const view = new FeedView(feed, 0);
    view.fold({ offset: 0n, key: Buffer.from(`${kind} ${feed} ${name}`), value: Buffer.from(value) });
    const [owner, cursor] = [view.owners.get(Number(name)), view.cursors.get(name)];
    const written = owner
      ? ownerRecord({ ...place, feed }, Number(name), owner, 0)
      : cursor && cursorRecord({ ...place, feed }, name, cursor, 0);
    expect(String(written?.value)).toBe(value);
  }
});

test('a cursor with as many gaps and losses as there can be stays under half of a broker’s 1 MiB', () => {
  const long = 10n ** 37n;
  const range = { firstId: long, lastId: long };
  const gaps = Array.from({ length: gapsMax }, () => ({ ...range, afterTimeMs: 1_700_000_000_000 }));
  const lost = Array.from({ length: lostMax }, () => ({ ...range, missing: long, why: '"\u0001é'.repeat(1000) }));
  const { value } = cursorRecord(place, 'BTCUSDT', { ...cursor, gaps, lost }, 0);
  expect(value.length).toBeLessThan(512 * 1024);
});

test('any cursor and any owner come back as they were written', () => {
  const id = fc.bigInt({ min: 0n, max: 10n ** 38n - 1n });
  const timeMs = fc.nat();
  const range = { firstId: id, lastId: id };
  const cursors: fc.Arbitrary<Cursor> = fc.record({
    lastId: id,
    timeMs,
    gaps: fc.array(fc.record({ ...range, afterTimeMs: timeMs })),
    lost: fc.array(fc.record({ ...range, missing: id, why: fc.string({ maxLength: 100 }), timeMs })),
    resetTimeMs: fc.option(timeMs),
    counts: fc.record({ written: fc.nat(), repaired: fc.nat(), duplicates: fc.nat(), sinceMs: timeMs }),
  });
  const owners: fc.Arbitrary<OwnerRecord> = fc.record({
    instance: fc.string(),
    state: fc.constantFrom('owning', 'released'),
    symbols: fc.array(fc.string()),
    fenced: fc.array(fc.tuple(fc.nat(999), id)).map((pairs) => new Map(pairs)),
  });
  fc.assert(
    fc.property(cursors, owners, fc.nat(999), (one, other, shard) => {
      const { view } = fold(cursorRecord(place, 'A', one, 0), ownerRecord(place, shard, other, 0));
      expect(view.cursors.get('A')).toEqual(one);
      expect(view.owners.get(shard)).toEqual({ ...other, offset: 1n, heardMs: 0 });
    }),
  );
});
