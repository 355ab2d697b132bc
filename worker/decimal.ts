// Exact arithmetic on decimal text: prices and quantities never pass through a float.

/** Longer text is no price: it bounds what one multiplication may cost. */
export const decimalCharactersMax = 64;

const pattern = /^\d+(\.\d+)?$/;

/** Plain notation without sign or exponent, as exchanges send it: `0.00012300`. */
export function isDecimal(value: unknown): value is string {
  return typeof value === 'string' && value.length <= decimalCharactersMax && pattern.test(value);
}

/**
 * The exact product in plain notation. It has as many decimals as both factors together, trailing zeros kept, which is
 * what Java's BigDecimal and Python's decimal give: `1.00000000` x `0.00012300` is `0.0001230000000000`.
 * @param a a decimal as isDecimal() accepts
 * @param b the same
 */
export function multiplyDecimals(a: string, b: string): string {
  const [wholeA = '', fractionA = ''] = a.split('.', 2);
  const [wholeB = '', fractionB = ''] = b.split('.', 2);
  const scale = fractionA.length + fractionB.length;
  const digits = (BigInt(wholeA + fractionA) * BigInt(wholeB + fractionB)).toString();
  if (scale === 0) return digits;
  const padded = digits.padStart(scale + 1, '0');
  return `${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
}
