// What can go wrong with a frame on its way here, and what an exchange might send that nobody has seen yet: a frame
// from the corpus, a generator, and a frame that differs from it.
import type { CorpusFrame, Frames, Span } from './corpus.ts';
import type { Random } from './random.ts';

type Mutation = (frame: CorpusFrame, random: Random, frames: Frames) => string;

/** Around what the parsers allow. */
const depths = [1, 2, 10, 63, 64, 65, 200] as const;
/** Beyond any stack, which ends near 10,000; seldom, for each takes the time of a hundred others. */
const bottomless = { depth: 20_000, oneIn: 50 };

const numbers = [
  ...['0', '-0', '-1', '1.0', '1.', '.5', '00', '01', '+1', '0x10', '1e5', '1E-7', '1e400', '-1e-400', '1_000'],
  ...['NaN', 'Infinity', '9007199254740991', '9007199254740993', '18446744073709551616', '1'.repeat(41)],
  ...['9'.repeat(65), `0.${'0'.repeat(70)}1`, '8640000000000001', '-62135596800000', '9'.repeat(400)],
] as const;

const values = [
  ...['null', 'true', 'false', '[]', '{}', '""', '" "', '[[]]', '{"":null}', '[null]', '""""', '\\u0030', "'1'"],
  ...['"2026-02-30T00:00:00Z"', '"9999-12-31T23:59:60.999999999Z"', '"buy"', '"SELL"', '"constructor"'],
] as const;

const texts = [
  ...['\u0000', '\u001f', '\ufeff', '\u2028', '\u202e', '\ud83d\ude00', '\ud800', '\\ud800', '\\u0000', '\\"', '\\'],
  ...['\\x', '\\u12', '٣', '１', '·', '\u0308', '\n', '\t', ' ', ','],
] as const;

const names = ['"__proto__"', '"constructor"', '"toString"', '"length"', '"data"', '"stream"', '"id"', '""'] as const;

const replace = (text: string, { start, end }: Span, by: string) => text.slice(0, start) + by + text.slice(end);

const nowhere: Span = { start: 0, end: 0 };

const oneOf = (spans: readonly Span[], random: Random): Span => spans[random.below(spans.length)] ?? nowhere;

function range({ text }: CorpusFrame, random: Random): Span {
  const start = random.below(text.length + 1);
  return { start, end: Math.min(text.length, start + random.below(40)) };
}

/** A number in place of a value, as bare digits or as text, whatever stood there. */
const otherNumber: Mutation = ({ text, values: spans }, random) => {
  const number = random.pick(numbers);
  return replace(text, oneOf(spans, random), random.below(2) === 0 ? number : `"${number}"`);
};

const otherType: Mutation = ({ text, values: spans }, random) => {
  const span = oneOf(spans, random);
  const value = text.slice(span.start, span.end);
  const turned = value.startsWith('"') ? value.slice(1, -1) : `"${value}"`;
  return replace(text, span, random.below(3) === 0 ? turned : random.pick(values));
};

/** Two values of a frame change places. */
const swappedValues: Mutation = ({ text, values: spans }, random) => {
  const [one, two] = [oneOf(spans, random), oneOf(spans, random)];
  const [first, second] = one.start < two.start ? [one, two] : [two, one];
  const [left, right] = [text.slice(first.start, first.end), text.slice(second.start, second.end)];
  return first.start === second.start ? text : replace(replace(text, second, left), first, right);
};

const otherName: Mutation = ({ text, names: spans }, random) => {
  const other = oneOf(spans, random);
  const name = random.below(2) === 0 ? random.pick(names) : text.slice(other.start, other.end);
  return replace(text, oneOf(spans, random), name);
};

/** The same name once more in the same object, with a value from elsewhere in the frame. */
const doubledName: Mutation = ({ text, names: spans, values: others }, random) => {
  const { start, end } = oneOf(spans, random);
  const value = oneOf(others, random);
  return `${text.slice(0, start)}${text.slice(start, end)}:${text.slice(value.start, value.end)},${text.slice(start)}`;
};

const nested: Mutation = ({ text, values: spans }, random) => {
  const depth = random.below(bottomless.oneIn) === 0 ? bottomless.depth : random.pick(depths);
  const [open, close] = random.below(2) === 0 ? ['[', ']'] : ['{"data":', '}'];
  const span = random.below(4) === 0 ? { start: 0, end: text.length } : oneOf(spans, random);
  const ends = random.below(8) === 0 ? '' : close.repeat(depth);
  return replace(text, span, open.repeat(depth) + text.slice(span.start, span.end) + ends);
};

const oddText: Mutation = ({ text, values: spans, names: others }, random) => {
  const { start, end } = oneOf(random.below(4) === 0 ? others : spans, random);
  const at = start + random.below(Math.max(1, end - start));
  return replace(text, { start: at, end: at }, random.pick(texts));
};

const cut: Mutation = ({ text }, random) => text.slice(0, random.below(text.length + 1));

const without: Mutation = (frame, random) => replace(frame.text, range(frame, random), '');

const repeated: Mutation = (frame, random) => {
  const { start, end } = range(frame, random);
  return replace(frame.text, { start: end, end }, frame.text.slice(start, end));
};

const spliced: Mutation = ({ text }, random, frames) => {
  const { text: other } = random.pick(frames);
  return text.slice(0, random.below(text.length + 1)) + other.slice(random.below(other.length + 1));
};

/** Two frames as one, with nothing or something between. */
const joined: Mutation = ({ text }, random, frames) => text + random.pick(['', ',', '\n']) + random.pick(frames).text;

const untouched: Mutation = ({ text }) => text;

const structural: readonly [Mutation, ...Mutation[]] = [
  ...[otherNumber, otherNumber, otherType, otherType, swappedValues, otherName, doubledName, oddText],
  ...[nested, cut, without, repeated, spliced, joined, untouched, untouched],
] as [Mutation, ...Mutation[]];

const structuralBytes = Buffer.from('{}[]",:\\ 0-.e');

/** Up to four bytes: a bit turned, another byte, one of JSON's own, one more or one less. */
function damage(bytes: Buffer, random: Random): Buffer {
  let damaged = bytes;
  for (let left = 1 + random.below(4); left > 0 && damaged.length > 0; left--) {
    const at = random.below(damaged.length);
    const byte = damaged[at] ?? 0;
    const own = structuralBytes[random.below(structuralBytes.length)] ?? 0;
    const kind = random.below(5);
    if (kind === 0) damaged[at] = byte ^ (1 << random.below(8));
    else if (kind === 1) damaged[at] = random.below(256);
    else if (kind === 2) damaged[at] = own;
    else if (kind === 3) damaged = Buffer.concat([damaged.subarray(0, at), Buffer.of(own), damaged.subarray(at)]);
    else damaged = Buffer.concat([damaged.subarray(0, at), damaged.subarray(at + 1)]);
  }
  return damaged;
}

/** The frame's structure is changed, then in one of three its bytes, too. */
export function mutate(frames: Frames, random: Random): Buffer {
  const changed = random.pick(structural)(random.pick(frames), random, frames);
  const bytes = Buffer.from(changed);
  return random.below(3) === 0 ? damage(bytes, random) : bytes;
}
