// Numbers and times as texts, in the forms that exchanges write.

const e8 = 100_000_000;

/**
 * A whole number of 10^-8 with that many decimals: 6183763000000 is `61837.63` with 2.
 * @param decimals 0 to 8; digits beyond them must be zeros
 */
export function fixedText(valueE8: number, decimals: number): string {
  const whole = Math.floor(valueE8 / e8);
  const fraction = String(valueE8 - whole * e8).padStart(8, '0');
  return decimals === 0 ? String(whole) : `${whole}.${fraction.slice(0, decimals)}`;
}

/** Without zeros at the end: `61837.63`, `3`, `0.0002`. */
export function shortText(valueE8: number): string {
  return fixedText(valueE8, 8).replace(/\.?0+$/, '');
}

/** How many decimals multiples of a step have: 2 for 0.01. */
export const decimalsOf = (stepE8: number): number => 8 - Math.round(Math.log10(stepE8));

/** RFC 3339 with 6 digits of a second: `2026-09-30T01:34:06.900131Z`. */
export function microsecondTime(timeUs: number): string {
  const second = new Date(Math.floor(timeUs / 1000)).toISOString().slice(0, 19);
  return `${second}.${String(timeUs % 1_000_000).padStart(6, '0')}Z`;
}

/** RFC 3339 as Go's RFC3339Nano writes it: zeros at the end of the fraction are cut, and so is a fraction of zero. */
export function shortTime(timeUs: number, nanoseconds = 0): string {
  const fraction = `${microsecondTime(timeUs).slice(20, 26)}${String(nanoseconds).padStart(3, '0')}`.replace(/0+$/, '');
  const second = microsecondTime(timeUs).slice(0, 19);
  return fraction === '' ? `${second}Z` : `${second}.${fraction}Z`;
}

/** A UUID of the fourth version out of two numbers, the same for the same ones. */
export function uuid(high: number, low: number): string {
  const hex = `${(high >>> 0).toString(16).padStart(8, '0')}${low.toString(16).padStart(24, '0').slice(-24)}`;
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20)];
  return parts.join('-');
}
