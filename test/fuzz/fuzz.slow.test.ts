// As many damaged frames as some seconds allow; `make fuzz` reads ten million.
import { expect, test } from 'vitest';
import { exchanges } from '../../worker/exchanges/index.ts';
import { readCorpus } from './corpus.ts';
import { Fuzz } from './fuzz.ts';

const runMs = 8000;
/** A tenth of what a busy machine reads in that time. */
const framesMin = 12_000;
/** Between two looks at the clock. */
const framesPerLook = 100;

const seed = 1;
const corpus = readCorpus();

test('no damaged frame makes a parser throw, or gives a trade that the frame does not say', { timeout: 60_000 }, () => {
  const fuzz = new Fuzz(seed, corpus);
  const endMs = performance.now() + runMs;
  let frames = 0;
  while (frames % framesPerLook > 0 || frames < framesMin || performance.now() < endMs) fuzz.read(frames++);
  const { byExchange, findings } = fuzz.fuzzed;
  console.log(`${frames} frames of seed ${seed} in ${runMs / 1000} s`);
  expect(findings.map(({ exchange, number, what }) => `${exchange}, frame ${number}: ${what}`)).toEqual([]);
  // Frames of every exchange came this far, some of them still with trades.
  expect(Object.keys(byExchange)).toEqual(Object.keys(exchanges));
  for (const { frames: read, trades, kinds } of Object.values(byExchange)) {
    expect(read).toBeGreaterThanOrEqual(framesMin / Object.keys(exchanges).length);
    expect(trades).toBeGreaterThan(read / 100);
    expect(kinds.unreadable).toBeGreaterThan(read / 100);
  }
});

test('a frame of a seed is the same whenever it is made, and another in another seed', () => {
  const numbers = Array.from({ length: 300 }, (_, index) => index * 7919);
  const framesOf = (of: number) => numbers.map((number) => new Fuzz(of, corpus).frame(number).frame.toString('latin1'));
  expect(framesOf(seed)).toEqual(framesOf(seed));
  expect(framesOf(seed + 1)).not.toEqual(framesOf(seed));
  expect(new Set(framesOf(seed)).size).toBeGreaterThan(numbers.length / 2);
});
