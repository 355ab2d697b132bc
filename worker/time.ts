// Exchange times as whole milliseconds since 1970, read from their text without passing through a fraction. Finer
// digits are cut off, not rounded: a trade is never given a millisecond that had not begun.

const rfc3339 = /^(19[7-9]\d|[2-9]\d{3})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;
const decimalSeconds = /^(\d{1,11})(?:\.(\d{1,9}))?$/;
const milliseconds = /^\d{1,14}$/;

/**
 * @param text `2026-09-30T01:34:06.900131Z`: 0 to 9 digits of a fraction, Z or an offset, from 1970 on
 * @returns milliseconds since 1970; null for anything else
 */
export function readRfc3339Ms(text: unknown): number | null {
  const match = typeof text === 'string' ? rfc3339.exec(text) : null;
  if (!match) return null;
  const [, year = '', month = '', day = '', hour = '', minute = '', second = '', fraction, zone = ''] = match;
  const dayMs = Date.UTC(Number(year), Number(month) - 1, Number(day));
  const date = new Date(dayMs);
  // Date.UTC takes February 30 for March 2.
  if (date.getUTCDate() !== Number(day) || date.getUTCMonth() !== Number(month) - 1) return null;
  // A leap second is the first second of the next minute, as in POSIX time.
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return null;
  const seconds = (Number(hour) * 60 + Number(minute)) * 60 + Number(second);
  const ms = dayMs + seconds * 1000 + fractionMs(fraction) - offsetMs(zone);
  return ms >= 0 ? ms : null;
}

/**
 * @param text `1762731600.8231795`: seconds since 1970 with 0 to 9 decimals
 * @returns milliseconds since 1970; null for anything else
 */
export function readSecondsMs(text: unknown): number | null {
  const match = typeof text === 'string' ? decimalSeconds.exec(text) : null;
  return match ? Number(match[1]) * 1000 + fractionMs(match[2]) : null;
}

/**
 * @param text `1630048897897`: whole milliseconds since 1970
 * @returns the same as a number; null for anything else
 */
export function readMilliseconds(text: unknown): number | null {
  return typeof text === 'string' && milliseconds.test(text) ? Number(text) : null;
}

/** The first three decimals. */
function fractionMs(decimals: string | undefined): number {
  return Number((decimals ?? '').padEnd(3, '0').slice(0, 3));
}

function offsetMs(zone: string): number {
  if (zone === 'Z') return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
  return (zone.startsWith('-') ? -minutes : minutes) * 60_000;
}
