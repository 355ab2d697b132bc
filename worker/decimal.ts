// Exact arithmetic on decimal text: prices and quantities never pass through a float.

/** Longer text is no price: it bounds what one multiplication may cost. */
export const decimalCharactersMax = 64;

const zero = 48;
const nine = 57;
const dot = 46;

/** Plain notation without sign or exponent, as exchanges send it: `0.00012300`. */
export function isDecimal(value: unknown): value is string {
  if (typeof value !== 'string' || value.length === 0 || value.length > decimalCharactersMax) return false;
  let dots = 0;
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if (code === dot) dots++;
    else if (code < zero || code > nine) return false;
  }
  return dots === 0 || (dots === 1 && value.charCodeAt(0) !== dot && value.charCodeAt(value.length - 1) !== dot);
}

/** Factors of up to this many digits are multiplied in halves, none of whose products and sums reach 2^53. */
const fastDigitsMax = 14;
const half = 10_000_000;
const halfDigits = 7;

/**
 * The exact product in plain notation. It has as many decimals as both factors together, trailing zeros kept, which is
 * what Java's BigDecimal and Python's decimal give: `1.00000000` x `0.00012300` is `0.0001230000000000`.
 * @param a a decimal as isDecimal() accepts
 * @param b the same
 */
export function multiplyDecimals(a: string, b: string): string {
  const scale = decimalsOf(a) + decimalsOf(b);
  // With a dot, one character more.
  const isFast = a.length <= fastDigitsMax && b.length <= fastDigitsMax;
  const digits = isFast ? multiplyFast(digitsOf(a), digitsOf(b)) : multiplyAny(a, b);
  if (scale === 0) return digits;
  const padded = digits.length > scale ? digits : digits.padStart(scale + 1, '0');
  const point = padded.length - scale;
  return `${padded.slice(0, point)}.${padded.slice(point)}`;
}

function decimalsOf(text: string): number {
  const at = text.indexOf('.');
  return at < 0 ? 0 : text.length - 1 - at;
}

/** The number that all digits make: whole, and exact up to 15 of them. */
function digitsOf(text: string): number {
  let number = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code !== dot) number = number * 10 + (code - zero);
  }
  return number;
}

/** @returns the product's digits, without leading zeros */
function multiplyFast(a: number, b: number): string {
  const product = a * b;
  if (product <= Number.MAX_SAFE_INTEGER) return String(product);
  const highA = Math.floor(a / half);
  const highB = Math.floor(b / half);
  const lowA = a - highA * half;
  const lowB = b - highB * half;
  const low = lowA * lowB;
  const middle = highA * lowB + lowA * highB + Math.floor(low / half);
  const high = highA * highB + Math.floor(middle / half);
  const rest = (middle % half) * half + (low % half);
  return high === 0 ? String(rest) : `${high}${String(rest).padStart(2 * halfDigits, '0')}`;
}

function multiplyAny(a: string, b: string): string {
  return (BigInt(a.replace('.', '')) * BigInt(b.replace('.', ''))).toString();
}
