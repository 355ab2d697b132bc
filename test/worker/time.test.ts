import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readMilliseconds, readRfc3339Ms, readSecondsMs } from '../../worker/time.ts';

const dayMs = 86_400_000;
const digits = fc.stringMatching(/^\d{0,9}$/);

/** The milliseconds of a fraction, by whole numbers. */
const wholeMs = (fraction: string) => Number(BigInt(fraction.padEnd(9, '0')) / 1_000_000n);

describe('RFC 3339 text', () => {
  test.each([
    ['2026-09-30T01:34:06Z', '2026-09-30T01:34:06.000Z'],
    ['2026-09-30T01:34:06.9Z', '2026-09-30T01:34:06.900Z'],
    ['2026-08-09T21:05:48.8548Z', '2026-08-09T21:05:48.854Z'],
    ['2026-09-30T01:34:06.900131Z', '2026-09-30T01:34:06.900Z'],
    ['2026-09-25T17:48:26.999999999Z', '2026-09-25T17:48:26.999Z'],
    ['2024-02-29T23:59:59.001+05:30', '2024-02-29T18:29:59.001Z'],
    ['1970-01-01T00:00:00.000000-00:00', '1970-01-01T00:00:00.000Z'],
    ['2016-12-31T23:59:60.5Z', '2017-01-01T00:00:00.500Z'],
  ])('%s is %s', (text, expected) => {
    expect(readRfc3339Ms(text)).toBe(Date.parse(expected));
  });

  test.each([
    '2026-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-09-30T24:00:00Z',
    '2026-09-30T01:60:00Z',
    '2026-09-30T01:34:61Z',
    '2026-09-30T01:34:06.Z',
    '2026-09-30T01:34:06.1234567890Z',
    '2026-09-30T01:34:06',
    '2026-09-30 01:34:06Z',
    '2026-08-09 21:05:48.854840045 +0000 UTC m=+41691.260485341',
    '1969-12-31T23:59:59Z',
    '1970-01-01T00:00:00+00:01',
    '0070-01-01T00:00:00Z',
    '',
    1790732046900,
    null,
  ])('%j is none', (text) => {
    expect(readRfc3339Ms(text)).toBe(null);
  });

  test('any instant with any fraction is cut to its millisecond', () => {
    const second = fc.integer({ min: 0, max: 253_402_300_799 });
    fc.assert(
      fc.property(second, digits, (seconds, fraction) => {
        const text = new Date(seconds * 1000).toISOString().replace('.000Z', fraction === '' ? 'Z' : `.${fraction}Z`);
        expect(readRfc3339Ms(text)).toBe(seconds * 1000 + wholeMs(fraction));
      }),
    );
  });

  test('every day of 400 years is read, and the day after a month ends is none', () => {
    const start = Date.UTC(1970, 0, 1);
    for (let day = 0; day < 400 * 365.2425; day++) {
      const text = new Date(start + day * dayMs).toISOString();
      if (readRfc3339Ms(text) !== start + day * dayMs) expect.fail(text);
      const isLast = new Date(start + (day + 1) * dayMs).getUTCDate() === 1;
      const date = Number(text.slice(8, 10)) + 1;
      if (isLast && readRfc3339Ms(`${text.slice(0, 8)}${date}${text.slice(10)}`) !== null) expect.fail(`after ${text}`);
    }
  });

  test('any text gives a whole number or null', () => {
    const text = fc.oneof(
      fc.string(),
      fc.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/),
    );
    fc.assert(
      fc.property(text, (any) => {
        const ms = readRfc3339Ms(any);
        return ms === null || (Number.isSafeInteger(ms) && ms >= 0);
      }),
    );
  });
});

describe('seconds', () => {
  test.each([
    ['1762795433.9717445', 1762795433971],
    ['1688669602.698379', 1688669602698],
    ['1618678142.557535', 1618678142557],
    ['1762795434', 1762795434000],
    ['0.9999', 999],
    // As floats, 1.001 times 1000 is less than 1001.
    ['1.001', 1001],
  ])('%s are %i ms', (text, ms) => {
    expect(readSecondsMs(text)).toBe(ms);
  });

  test.each(['', '.5', '1.', '1e3', '-1', '+1', ' 1', '1.0123456789', '123456789012', 1.5, undefined])(
    '%j are none',
    (text) => {
      expect(readSecondsMs(text)).toBe(null);
    },
  );

  test('any decimal is cut to its millisecond', () => {
    const second = fc.integer({ min: 0, max: 99_999_999_999 });
    fc.assert(
      fc.property(second, digits, (seconds, fraction) => {
        const text = fraction === '' ? String(seconds) : `${seconds}.${fraction}`;
        expect(readSecondsMs(text)).toBe(seconds * 1000 + wholeMs(fraction));
      }),
    );
  });
});

test('milliseconds are whole numbers as text', () => {
  expect(readMilliseconds('1630048897897')).toBe(1630048897897);
  for (const text of ['', '1.5', '-1', '1e3', '123456789012345', 1630048897897])
    expect(readMilliseconds(text)).toBe(null);
});
