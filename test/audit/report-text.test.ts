import { describe, expect, test } from 'vitest';
import { type Reading, readings } from '../../audit/readings.ts';
import { countText, reportText } from '../../audit/report-text.ts';
import { auditSet, cleanSet } from './clean-set.ts';

describe('the report for a person', () => {
  test('of a set without a fault is a table and a verdict', () => {
    const [heads, ...lines] = reportText(auditSet(cleanSet(1200)));
    expect(heads?.split(/ {2,}/)).toEqual([
      ...['symbol', 'trades', 'first id', 'last id', 'missing', 'doubled', 'back-filled'],
      ...['raw without trade', 'trade without raw', 'differing', 'cursor'],
    ]);
    const cells = ['1,200', '1', '1200', '0', '0', '0', '0', '0', '0', 'equal'];
    expect(lines.slice(0, 2).map((line) => line.split(/ {2,}/))).toEqual([
      ['BTCUSDT', ...cells],
      ['ETHUSDT', ...cells],
    ]);
    expect(new Set([heads?.length, lines[0]?.length, lines[1]?.length]).size).toBe(1);
    expect(lines.slice(2)).toEqual([
      '',
      'raw records: 2,400, normalized records: 2,400',
      '',
      'COMPLETE: each trade once, as sent',
    ]);
  });

  test('of a spoilt set sums up by kind, tells the first findings, and how many there are more', () => {
    const set = cleanSet(6);
    set.raw.splice(4, 4);
    set.normalized.splice(6, 1);
    const lines = reportText(auditSet(set, { toldMax: 2 }));
    expect(lines.slice(lines.indexOf('FINDINGS'))).toEqual([
      'FINDINGS',
      '  3 normalized trades have no raw record',
      '  1 gaps, in which trades are missing',
      '- BTCUSDT 3 is in no raw record (trades/0@4)',
      '- ETHUSDT 3 is in no raw record (trades/0@5)',
      '- and 2 more (--findings says how many are told)',
    ]);
  });

  test('of an exchange whose ids prove nothing says so, in the table and in words', () => {
    const kind = { exchange: 'bybit', reading: readings.bybit as Reading };
    const lines = reportText(auditSet({ raw: [], normalized: cleanSet(1).normalized, cursors: [] }, kind));
    expect(lines[1]).toContain('not provable');
    expect(lines.join('\n')).toContain(
      'missing trades: not provable, because its trade ids are shared between symbols; ' +
        'doubled ones are found within 20,000 of a symbol',
    );
  });

  test('of nothing does not call it complete', () => {
    const lines = reportText(auditSet({ raw: [], normalized: [], cursors: [] }));
    expect(lines.at(-1)).toBe('NOTHING TO AUDIT: neither topic has a committed record in this time');
  });
});

test.each([
  [0, '0'],
  [999, '999'],
  [1000, '1,000'],
  ['12345678901234567890', '12,345,678,901,234,567,890'],
])('%s is written %s', (count, words) => {
  expect(countText(count)).toBe(words);
});
