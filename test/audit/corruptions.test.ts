// Each single corruption of a clean set is found by an audit, under its name and with its place.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NormalizedTrade } from '../../audit/compare.ts';
import { isClean } from '../../audit/report.ts';
import {
  at,
  auditSet,
  binanceFrame,
  type CleanSet,
  cleanSet,
  cursor,
  metadata,
  rawRecord,
  startMs,
} from './clean-set.ts';

/** The trade in place 4 of the normalized topic: BTCUSDT 3. */
function edit(set: CleanSet, fields: Partial<NormalizedTrade>): void {
  const record = at(set.normalized, 4);
  record.value = { ...(record.value as NormalizedTrade), ...fields };
}

describe('an audit', () => {
  test('finds nothing in a set without a fault, and counts what is in it', () => {
    const report = auditSet(cleanSet());
    expect(report.findings).toEqual([]);
    expect(isClean(report)).toBe(true);
    const whole = { trades: 10, firstId: '1', lastId: '10', missing: '0', doubled: 0, cursor: 'equal' };
    expect(report.symbols).toMatchObject([
      { symbol: 'BTCUSDT', canonicalSymbol: 'BTC/USDT', ...whole },
      { symbol: 'ETHUSDT', canonicalSymbol: 'ETH/USDT', ...whole },
    ]);
    expect(report.totals).toEqual({ raw: 20, normalized: 20, repeats: 0, unreadable: 0, deadLetters: 0 });
  });

  const corruptions: [what: string, spoil: (set: CleanSet) => void, findings: string[]][] = [
    [
      'a trade lost from both topics',
      (set) => {
        set.raw.splice(4, 1);
        set.normalized.splice(4, 1);
      },
      ['BTCUSDT 3 is missing'],
    ],
    [
      'a trade lost from the normalized topic',
      (set) => void set.normalized.splice(4, 1),
      ['BTCUSDT 3 is not in the normalized topic (trades.raw/0@4)', 'BTCUSDT 3 is missing'],
    ],
    ['a raw record lost', (set) => void set.raw.splice(4, 1), ['BTCUSDT 3 is in no raw record (trades/0@4)']],
    [
      'a trade doubled',
      (set) => void set.normalized.push({ ...at(set.normalized, 4), offset: 20, timeMs: startMs + 500 }),
      ['BTCUSDT 3 is there again (trades/0@20)'],
    ],
    [
      'a raw record doubled',
      (set) => void set.raw.push({ ...at(set.raw, 4), offset: 20, timeMs: startMs + 500 }),
      ['A raw record of BTCUSDT 3 holds only what came before (trades.raw/0@20)'],
    ],
    [
      'another id',
      (set) => edit(set, { trade_id: '300' }),
      [
        'BTCUSDT 3 is not in the normalized topic (trades.raw/0@4)',
        'BTCUSDT 300 is in no raw record (trades/0@4)',
        'BTCUSDT 3 is missing',
        'BTCUSDT 11 to 299: 289 trades are missing',
        'BTCUSDT: the cursor of default/binance says 10, and the last trade is 300',
      ],
    ],
    [
      'an id that is no number',
      (set) => edit(set, { trade_id: 'three' }),
      [
        'BTCUSDT three: the id is not a number (trades/0@4)',
        'BTCUSDT 3 is not in the normalized topic (trades.raw/0@4)',
        'BTCUSDT three is in no raw record (trades/0@4)',
        'BTCUSDT 3 is missing',
      ],
    ],
    [
      'a digit changed',
      (set) => edit(set, { price: '61837.64000000' }),
      ['BTCUSDT 3: price is 61837.64000000, and by the raw record 61837.63000000 (trades/0@4, trades.raw/0@4)'],
    ],
    [
      'a zero cut off',
      (set) => edit(set, { quantity: '0.02' }),
      ['BTCUSDT 3: quantity is 0.02, and by the raw record 0.02000000 (trades/0@4, trades.raw/0@4)'],
    ],
    [
      'a quote volume that was rounded',
      (set) => edit(set, { quote_volume: '1236.75260000' }),
      [
        'BTCUSDT 3: quote_volume is 1236.75260000, which is not 61837.63000000 x 0.02000000, exact ' +
          '(trades/0@4, trades.raw/0@4)',
      ],
    ],
    [
      'the maker’s side',
      (set) => edit(set, { side: 'BUY' }),
      ['BTCUSDT 3: side is BUY, and by the raw record SELL (trades/0@4, trades.raw/0@4)'],
    ],
    [
      'another exchange time',
      (set) => edit(set, { exchange_timestamp: startMs }),
      [
        `BTCUSDT 3: exchange_timestamp is ${startMs}, and by the raw record ${startMs + 2} ` +
          '(trades/0@4, trades.raw/0@4)',
      ],
    ],
    [
      'another received time',
      (set) => edit(set, { timestamp: startMs }),
      [`BTCUSDT 3: timestamp is ${startMs}, and by the raw record ${startMs + 30} (trades/0@4, trades.raw/0@4)`],
    ],
    [
      'other metadata',
      (set) => edit(set, { metadata: { ...metadata, sequence_number: 7, is_buyer_maker: false } }),
      [
        'BTCUSDT 3: sequence_number is 7, and by the raw record null; is_buyer_maker is false, and by the raw ' +
          'record true (trades/0@4, trades.raw/0@4)',
      ],
    ],
    ['another exchange', (set) => edit(set, { exchange: 'okx' }), ['BTCUSDT 3: exchange is okx (trades/0@4)']],
    [
      'a canonical symbol that changes',
      (set) => edit(set, { canonical_symbol: 'BTCU/SDT' }),
      ['The canonical symbol of BTCUSDT is BTCU/SDT, and was BTC/USDT (trades/0@4)'],
    ],
    [
      'a key that is not the symbol',
      (set) => {
        at(set.normalized, 4).key = 'ETHUSDT';
        at(set.raw, 5).key = null;
      },
      [
        'A raw record of ETHUSDT has the key null (trades.raw/0@5)',
        'A normalized trade of BTCUSDT has the key ETHUSDT (trades/0@4)',
      ],
    ],
    [
      'a frame torn off',
      (set) => {
        at(set.raw, 4).value = binanceFrame('BTCUSDT', 3).subarray(0, 100);
      },
      [
        'A frame cannot be read: Unterminated string in JSON at position 100 (line 1 column 101) (trades.raw/0@4)',
        'BTCUSDT 3 is in no raw record (trades/0@4)',
      ],
    ],
    [
      'a raw record without a trade',
      (set) => void set.raw.push(rawRecord(20, 'BTCUSDT', Buffer.from('{"result":null,"id":1}'), startMs)),
      ['A frame holds no trade (trades.raw/0@20)'],
    ],
    [
      'a normalized record that cannot be read',
      (set) => {
        at(set.normalized, 4).value = 'truncated buffer';
      },
      [
        'A normalized record cannot be read: truncated buffer (trades/0@4)',
        'BTCUSDT 3 is not in the normalized topic (trades.raw/0@4)',
        'BTCUSDT 3 is missing',
      ],
    ],
    [
      'a back-filled trade that only one topic calls so',
      (set) => {
        at(set.normalized, 4).source = 'rest-backfill';
      },
      ['BTCUSDT 3: header k2-source is rest-backfill, and by the raw record absent (trades/0@4, trades.raw/0@4)'],
    ],
    [
      'a readable frame put away as unreadable',
      (set) => {
        at(set.raw, 4).unreadable = 'trade has no t';
        set.normalized.splice(4, 1);
      },
      ['A frame is marked unreadable (trade has no t), but holds BTCUSDT 3 (trades.raw/0@4)', 'BTCUSDT 3 is missing'],
    ],
    [
      'a cursor that is behind',
      (set) => void set.cursors.splice(0, 1, ['cursor default/binance BTCUSDT', cursor(9)]),
      ['BTCUSDT: the cursor of default/binance says 9, and the last trade is 10'],
    ],
    [
      'a cursor that is ahead',
      (set) => void set.cursors.splice(0, 1, ['cursor default/binance BTCUSDT', cursor(11)]),
      ['BTCUSDT: the cursor of default/binance says 11, and the last trade is 10'],
    ],
    ['a cursor that is not there', (set) => void set.cursors.shift(), ['BTCUSDT has no cursor']],
    [
      'a cursor of another feed as well',
      (set) => void set.cursors.push(['cursor default/other BTCUSDT', cursor(10)]),
      ['BTCUSDT has cursors of default/binance and default/other: name one of the feeds with --feed'],
    ],
    [
      'a cursor that cannot be read',
      (set) => void set.cursors.splice(0, 1, ['cursor default/binance BTCUSDT', '{"lastId":10}']),
      [
        "The record 'cursor default/binance BTCUSDT' cannot be read: id 10 is not a number in quotes",
        'BTCUSDT has no cursor',
      ],
    ],
  ];

  test.each(corruptions)('finds %s, and nothing else', (_, spoil, findings) => {
    const set = cleanSet();
    spoil(set);
    expect(auditSet(set).findings.map(({ text }) => text)).toEqual(findings);
  });

  test('counts a finding of each kind under its symbol', () => {
    const set = cleanSet();
    edit(set, { side: 'BUY' });
    set.normalized.push({ ...at(set.normalized, 0), offset: 20 });
    set.normalized.splice(9, 1);
    set.raw.splice(11, 1);
    const expected = [
      { symbol: 'BTCUSDT', differing: 1, doubled: 1, rawWithoutTrade: 0, tradeWithoutRaw: 0, missing: '0' },
      { symbol: 'ETHUSDT', differing: 0, doubled: 0, rawWithoutTrade: 1, tradeWithoutRaw: 1, missing: '1' },
    ];
    expect(auditSet(set).symbols).toMatchObject(expected);
  });

  test('says of a gap that the worker knows it', () => {
    const set = cleanSet();
    set.raw.splice(4, 1);
    set.normalized.splice(4, 1);
    const lost = [{ firstId: '3', lastId: '3', missing: '1', why: 'not to be had' }];
    set.cursors[0] = ['cursor default/binance BTCUSDT', cursor(10, { lost })];
    expect(auditSet(set).findings).toEqual([{ kind: 'missing', text: 'BTCUSDT 3 is missing, as its cursor says' }]);
  });

  test('tells the first findings, and counts all', () => {
    const set = cleanSet(50);
    set.raw = [];
    const report = auditSet(set, { toldMax: 3 });
    expect(report.findings).toHaveLength(3);
    expect(report.counts).toEqual({ 'trade-without-raw': 100 });
  });
});

test('any one record dropped or doubled, of any set, is found', () => {
  const which = fc.record({
    count: fc.integer({ min: 3, max: 30 }),
    topic: fc.constantFrom('raw', 'normalized') as fc.Arbitrary<'raw' | 'normalized'>,
    place: fc.nat(),
    isDropped: fc.boolean(),
  });
  fc.assert(
    fc.property(which, ({ count, topic, place, isDropped }) => {
      const set = cleanSet(count);
      expect(isClean(auditSet(set))).toBe(true);
      const records: { offset: number }[] = set[topic];
      const index = place % records.length;
      if (isDropped) records.splice(index, 1);
      else records.push({ ...at(records, index), offset: records.length });
      const report = auditSet(set);
      expect(isClean(report)).toBe(false);
      // A doubled one counts as one fault; a dropped one may show as a gap, or a wrong cursor, too.
      if (!isDropped) expect(Object.values(report.counts)).toEqual([1]);
    }),
    { numRuns: 200 },
  );
});
