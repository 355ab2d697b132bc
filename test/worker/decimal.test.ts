import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decimalCharactersMax, isDecimal, multiplyDecimals } from '../../worker/decimal.ts';

/** Whole and fraction digits as text, from nothing to more than any exchange sends. */
const decimal = fc
  .tuple(fc.bigInt({ min: 0n, max: 10n ** 20n }), fc.stringMatching(/^\d{0,18}$/))
  .map(([whole, fraction]) => (fraction === '' ? String(whole) : `${whole}.${fraction}`));

/** The same value as a fraction of two whole numbers. */
function fractionOf(text: string): [numerator: bigint, denominator: bigint] {
  const [whole = '', fraction = ''] = text.split('.');
  return [BigInt(whole) * 10n ** BigInt(fraction.length) + BigInt(fraction || '0'), 10n ** BigInt(fraction.length)];
}

describe('multiplyDecimals', () => {
  test.each([
    ['1.00000000', '0.00012300', '0.0001230000000000'],
    ['61837.63000000', '0.02000000', '1236.7526000000000000'],
    ['0.00000001', '0.00000001', '0.0000000000000001'],
    ['0', '12.5', '0.0'],
    ['3', '4', '12'],
    ['0.10', '10', '1.00'],
    ['99999999999999999999', '99999999999999999999', '9999999999999999999800000000000000000001'],
  ])('%s x %s is %s', (a, b, product) => {
    expect(multiplyDecimals(a, b)).toBe(product);
  });

  test('short factors, which are multiplied in halves, give what whole-number arithmetic gives', () => {
    const short = fc
      .stringMatching(/^\d{1,14}$/)
      .chain((digits) =>
        fc.nat(digits.length - 1).map((at) => (at === 0 ? digits : `${digits.slice(0, at)}.${digits.slice(at)}`)),
      );
    fc.assert(
      fc.property(short, short, (a, b) => {
        const scale = [a, b].reduce((sum, text) => sum + (text.split('.')[1] ?? '').length, 0);
        const digits = (BigInt(a.replace('.', '')) * BigInt(b.replace('.', ''))).toString().padStart(scale + 1, '0');
        const expected = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
        expect(multiplyDecimals(a, b)).toBe(expected);
      }),
      { numRuns: 20_000 },
    );
  });

  test('the product is exact, plain, and has the decimals of both factors', () => {
    fc.assert(
      fc.property(decimal, decimal, (a, b) => {
        const product = multiplyDecimals(a, b);
        const [numeratorA, denominatorA] = fractionOf(a);
        const [numeratorB, denominatorB] = fractionOf(b);
        const [numerator, denominator] = fractionOf(product);
        expect(numerator * denominatorA * denominatorB).toBe(numeratorA * numeratorB * denominator);
        expect(denominator).toBe(denominatorA * denominatorB);
        expect(product).toMatch(/^(0|[1-9]\d*)(\.\d+)?$/);
      }),
    );
  });
});

describe('isDecimal', () => {
  test('it accepts what the grammar accepts, and nothing else', () => {
    const grammar = /^\d+(\.\d+)?$/;
    const close = fc.stringMatching(/^[0-9.]{0,6}$/);
    fc.assert(fc.property(fc.oneof(close, fc.string()), (text) => isDecimal(text) === grammar.test(text)));
  });

  test('every plain decimal is accepted', () => {
    fc.assert(fc.property(decimal, (text) => isDecimal(text)));
  });

  test.each(['', '.', '1.', '.5', '-1', '+1', '1e3', '1E-7', ' 1', '1,5', 'NaN', 'Infinity', '0x10', '١'])(
    "'%s' is refused",
    (text) => {
      expect(isDecimal(text)).toBe(false);
    },
  );

  test('a number is refused, because its digits are already lost', () => {
    expect(isDecimal(1.5)).toBe(false);
  });

  test('a text longer than any price is refused', () => {
    expect(isDecimal('1'.repeat(decimalCharactersMax))).toBe(true);
    expect(isDecimal('1'.repeat(decimalCharactersMax + 1))).toBe(false);
  });
});
