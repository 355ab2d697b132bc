import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isProduct } from '../../audit/compare.ts';
import { multiplyDecimals } from '../../worker/decimal.ts';

describe('whether a quote volume is the exact product', () => {
  test.each([
    ['1236.7526000000000000', '61837.63000000', '0.02000000', true],
    ['1236.75260000', '61837.63000000', '0.02000000', false],
    ['1236.7526000000000001', '61837.63000000', '0.02000000', false],
    ['01236.7526000000000000', '61837.63000000', '0.02000000', false],
    ['1.2367526e3', '61837.63000000', '0.02000000', false],
    ['6', '2', '3', true],
    ['6.0', '2', '3', false],
    ['0.0000000000000001', '0.00000001', '0.00000001', true],
  ])('%s of %s x %s: %s', (product, a, b, is) => {
    expect(isProduct(product, a, b)).toBe(is);
  });

  test('agrees with what the worker multiplies, and with no other number', () => {
    const decimal = fc
      .tuple(fc.bigInt({ min: 0n, max: 10n ** 18n }), fc.integer({ min: 0, max: 10 }))
      .map(([digits, decimals]) => {
        const text = String(digits).padStart(decimals + 1, '0');
        return decimals === 0 ? text : `${text.slice(0, -decimals)}.${text.slice(-decimals)}`;
      });
    fc.assert(
      fc.property(decimal, decimal, fc.nat({ max: 9 }), (a, b, digit) => {
        const product = multiplyDecimals(a, b);
        expect(isProduct(product, a, b)).toBe(true);
        const other = product.slice(0, -1) + digit;
        expect(isProduct(other, a, b)).toBe(other === product);
      }),
    );
  });
});
