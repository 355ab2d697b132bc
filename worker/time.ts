// Exchange times as whole milliseconds since 1970, read from their text without passing through a fraction. Finer
// digits are cut off, not rounded: a trade is never given a millisecond that had not begun.

const rfc3339 = new RegExp(
  [
    /^(?:19[7-9]\d|[2-9]\d{3})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])/,
    /T(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d{1,9})?(?:Z|[+-][0-2]\d:[0-5]\d)$/,
  ]
    .map(({ source }) => source)
    .join(''),
);
const decimalSeconds = /^(\d{1,11})(?:\.(\d{1,9}))?$/;
const milliseconds = /^\d{1,14}$/;

/**
 * @param text `2026-09-30T01:34:06.900131Z`: 0 to 9 digits of a fraction, Z or an offset, from 1970 on
 * @returns milliseconds since 1970; null for anything else
 */
export function readRfc3339Ms(text: unknown): number | null {
  if (typeof text !== 'string' || !rfc3339.test(text)) return null;
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  if (day > 28 && day > daysOf(year, month)) return null;
  // A leap second is taken for the first one of the next minute, as in POSIX time.
  const seconds = Date.UTC(year, month - 1, day, twoDigits(text, 11), twoDigits(text, 14), twoDigits(text, 17));
  const fraction = text[19] === '.' ? firstMs(text.slice(20, 23)) : 0;
  const ms = seconds + fraction - offsetMs(text);
  return ms >= 0 ? ms : null;
}

/**
 * @param text `1762731600.8231795`: seconds since 1970 with 0 to 9 decimals
 * @returns milliseconds since 1970; null for anything else
 */
export function readSecondsMs(text: unknown): number | null {
  const match = typeof text === 'string' ? decimalSeconds.exec(text) : null;
  return match ? Number(match[1]) * 1000 + firstMs(match[2] ?? '') : null;
}

/**
 * @param text `1630048897897`: whole milliseconds since 1970
 * @returns the same as a number; null for anything else
 */
export function readMilliseconds(text: unknown): number | null {
  return typeof text === 'string' && milliseconds.test(text) ? Number(text) : null;
}

const zero = 0x30;

const twoDigits = (text: string, at: number) => (text.charCodeAt(at) - zero) * 10 + text.charCodeAt(at + 1) - zero;

const daysOf = (year: number, month: number) => new Date(Date.UTC(year, month, 0)).getUTCDate();

/** Of the decimals of a second; they may end with the zone. */
function firstMs(decimals: string): number {
  let ms = 0;
  for (let at = 0, unit = 100; at < 3; at++, unit /= 10) {
    const digit = decimals.charCodeAt(at) - zero;
    if (digit >= 0 && digit <= 9) ms += digit * unit;
    else return ms;
  }
  return ms;
}

function offsetMs(text: string): number {
  if (text.endsWith('Z')) return 0;
  const minutes = twoDigits(text, text.length - 5) * 60 + twoDigits(text, text.length - 2);
  return (text[text.length - 6] === '-' ? -minutes : minutes) * 60_000;
}
