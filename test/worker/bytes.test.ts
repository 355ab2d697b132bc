import avsc from 'avsc';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { longBytesMax, textBytesMax, writeLong, writeText } from '../../worker/bytes.ts';

const long = avsc.Type.forSchema('long');
const string = avsc.Type.forSchema('string');

test('every number is written as Avro writes it', () => {
  const target = Buffer.alloc(2 * longBytesMax);
  const number = fc.oneof(fc.integer(), fc.integer({ min: -(2 ** 52), max: Number.MAX_SAFE_INTEGER - 1 }));
  fc.assert(
    fc.property(number, (value) => {
      const end = writeLong(target, 3, value);
      expect(target.subarray(3, end)).toEqual(long.toBuffer(value));
    }),
  );
});

test('every text is written as Avro writes it, whatever its length and script', () => {
  const target = Buffer.alloc(4096);
  const text = fc.oneof(fc.string(), fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ minLength: 60 }));
  fc.assert(
    fc.property(text, (value) => {
      const end = writeText(target, 5, value);
      expect(target.subarray(5, end)).toEqual(string.toBuffer(value));
      expect(end - 5).toBeLessThanOrEqual(textBytesMax(value));
    }),
  );
});

test('half of a surrogate pair becomes the replacement character, as everywhere in Node', () => {
  const target = Buffer.alloc(64);
  const end = writeText(target, 0, 'a\ud800b');
  expect(target.toString('utf8', 1, end)).toBe('a\ufffdb');
});
