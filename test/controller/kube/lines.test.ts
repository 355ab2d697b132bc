import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TransportError } from '../../../controller/kube/errors.ts';
import { lines } from '../../../controller/kube/lines.ts';

async function* chunksOf(bytes: Buffer, cuts: number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (const cut of [...cuts.map((it) => it % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    yield bytes.subarray(start, cut);
    start = cut;
  }
}

async function read(bytes: Buffer, bytesMax = 1_000_000, cuts: number[] = []): Promise<string[]> {
  const found: string[] = [];
  for await (const line of lines(chunksOf(bytes, cuts), bytesMax)) found.push(line);
  return found;
}

test('lines come out as they went in, wherever the bytes are cut, within a character, too', async () => {
  const line = fc.string({ unit: 'grapheme', minLength: 1 }).map((it) => it.replaceAll('\n', ' '));
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.nat()), async (written, cuts) => {
      const bytes = Buffer.from(written.map((it) => `${it}\n`).join(''), 'utf8');
      expect(await read(bytes, undefined, cuts)).toEqual(written.map((it) => it.toWellFormed()));
    }),
  );
});

test('empty lines are passed over', async () => {
  expect(await read(Buffer.from('\n\na\n\n'))).toEqual(['a']);
});

test('a line of exactly the limit passes, one byte more is refused, ended or not', async () => {
  expect(await read(Buffer.from(`${'x'.repeat(10)}\n`), 10)).toEqual(['x'.repeat(10)]);
  await expect(read(Buffer.from(`${'x'.repeat(11)}\n`), 10)).rejects.toThrow(TransportError);
  await expect(read(Buffer.from('x'.repeat(11)), 10)).rejects.toThrow('a line is longer than 10 bytes');
});

test('a line without its end is refused', async () => {
  await expect(read(Buffer.from('a\nb'))).rejects.toThrow('the stream ended 1 bytes into a line');
});
