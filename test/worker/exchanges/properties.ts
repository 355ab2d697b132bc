// What must hold of every exchange's parse(), and what recorded frames are held against: nothing here uses the parsers.
import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Parsed } from '../../../worker/exchanges/exchange.ts';
import type { Trade } from '../../../worker/trade.ts';

const isWhole = (parsed: Parsed): boolean =>
  parsed.kind !== 'trades' ||
  (parsed.trades.length > 0 &&
    parsed.trades.every(
      ({ symbol, tradeId, price, quantity, exchangeTimeMs, sequenceNumber }) =>
        symbol !== '' &&
        /^[\w-]+$/.test(tradeId) &&
        /^\d+(\.\d+)?$/.test(price) &&
        /^\d+(\.\d+)?$/.test(quantity) &&
        Number.isSafeInteger(exchangeTimeMs) &&
        (sequenceNumber === null || Number.isSafeInteger(sequenceNumber)),
    ));

/** Any bytes, any JSON, and damaged frames give a value; what is read as trades is whole. */
export function expectToReadAnything(parse: (frame: Buffer) => Parsed, frames: Buffer[]): void {
  const check = (bytes: Uint8Array) => isWhole(parse(Buffer.from(bytes)));
  fc.assert(fc.property(fc.uint8Array(), check));
  fc.assert(fc.property(fc.json(), (text) => check(Buffer.from(text))));
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(2), fc.oneof(fc.constantFrom(...'{}[]",:-0e.n'), fc.string())), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(fc.constantFrom(...frames), damage, (frame, changes) => {
      let text = frame.toString();
      for (const [place, deleted, inserted] of changes) {
        const at = place % (text.length + 1);
        text = text.slice(0, at) + inserted + text.slice(at + deleted);
      }
      return check(Buffer.from(text));
    }),
    { numRuns: 1000 },
  );
}

/** A frame that is cut short anywhere is none. */
export function expectCutFramesUnreadable(parse: (frame: Buffer) => Parsed, frames: Buffer[]): void {
  expect(frames.length).toBeGreaterThan(0);
  for (const frame of frames) {
    for (let at = 0; at < frame.length; at++) expect(parse(frame.subarray(0, at)).kind).toBe('unreadable');
  }
}

/** Any answer of REST gives a value, never an exception. */
export function expectToReadAnyAnswer(parse: (status: number, body: string) => { kind: string }): void {
  const status = fc.constantFrom(200, 400, 403, 429, 500);
  const body = fc.oneof(fc.string(), fc.json());
  fc.assert(fc.property(status, body, (code, text) => typeof parse(code, text).kind === 'string'));
}

/** How many frames of each kind. */
export function countKinds(parse: (frame: Buffer) => Parsed, frames: Buffer[]): Record<string, number> {
  const kinds = Map.groupBy(frames, (frame) => parse(frame).kind);
  return Object.fromEntries([...kinds].map(([kind, same]) => [kind, same.length]));
}

/** The schema of the raw topic has all fields of the payload, and the payload all of its but those that may be null. */
export function expectConforms(exchangeId: string, payload: string): void {
  const url = new URL(`../../../schemas/${exchangeId}-trade.avsc`, import.meta.url);
  const { fields } = JSON.parse(readFileSync(url, 'utf8')) as { fields: { name: string; default?: unknown }[] };
  const defaults = Object.fromEntries(fields.filter((field) => 'default' in field).map(({ name }) => [name, null]));
  const value = JSON.parse(payload) as object;
  const isValid = avsc.Type.forSchema(JSON.parse(readFileSync(url, 'utf8'))).isValid({ ...defaults, ...value });
  if (!isValid) expect.fail(`does not conform: ${payload}`);
  expect(fields.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(value)));
}

/** Whole milliseconds of `2026-08-09T21:05:38.50436Z`, cut from the text. */
export function msOf(time: string): number {
  const [seconds = '', fraction = ''] = time.replace('Z', '').split('.', 2);
  return Date.parse(`${seconds}Z`) + Number(fraction.padEnd(3, '0').slice(0, 3));
}

/** The text of one field of an object without nested ones, as it stands there. */
export function fieldOf(object: string, name: string): string {
  const value = new RegExp(`"${name}":("[^"]*"|[^,}]+)`).exec(object)?.[1];
  if (value === undefined) throw new Error(`${name} is not in ${object}`);
  return value.replaceAll('"', '');
}

/**
 * One taker that trades at several prices takes the best first: who buys walks up, who sells down.
 * @returns how many groups of one symbol, time and side walk their taker's way, and how many the other
 */
export function countWalks(trades: Trade[]): { right: number; wrong: number } {
  const groups = Map.groupBy(trades, ({ symbol, exchangeTimeMs, side }) => `${symbol} ${exchangeTimeMs} ${side}`);
  const counts = { right: 0, wrong: 0 };
  for (const group of groups.values()) {
    const [first, last] = [group.at(0), group.at(-1)];
    if (!first || !last || Number(first.price) === Number(last.price)) continue;
    const isUp = Number(last.price) > Number(first.price);
    counts[isUp === (first.side === 'BUY') ? 'right' : 'wrong']++;
  }
  return counts;
}

/** Steps between the ids of one symbol, in order; no ids twice. */
export function expectConsecutive(trades: Trade[]): void {
  for (const group of Map.groupBy(trades, ({ symbol }) => symbol).values()) {
    const ids = group.map(({ tradeId }) => BigInt(tradeId)).sort((a, b) => (a < b ? -1 : 1));
    expect(ids).toEqual(ids.map((_, index) => (ids[0] ?? 0n) + BigInt(index)));
  }
}
