import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type RecordedFrame, readRecording } from '../../worker/recording.ts';

async function read(...chunks: Buffer[]): Promise<RecordedFrame[]> {
  async function* bytes() {
    yield* chunks;
  }
  const frames: RecordedFrame[] = [];
  for await (const frame of readRecording(bytes())) frames.push(frame);
  return frames;
}

/** The bytes in pieces, cut at the given places. */
function cut(bytes: Buffer, places: number[]): Buffer[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

const line = (ts: string, frame: string) => `{"ts":${ts},"frame":${JSON.stringify(frame)}}`;

describe('a recording', () => {
  test('gives the same frames in whatever pieces it comes, plain or packed', async () => {
    const frames = fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 5 });
    const places = fc.array(fc.nat(), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(frames, places, fc.boolean(), async (texts, at, isPacked) => {
        const plain = Buffer.from(texts.map((text) => line('1.5', text)).join('\n'));
        const found = await read(...cut(isPacked ? gzipSync(plain) : plain, at));
        expect(found.map(({ frame }) => frame.toString())).toEqual(texts.map((text) => Buffer.from(text).toString()));
      }),
      { numRuns: 50 },
    );
  });

  test('of several gzip files in a row is one', async () => {
    const packed = [line('1', 'a\n'), line('2', 'b')].map((text) => gzipSync(`${text}\n`));
    expect((await read(...packed)).map(({ frame }) => frame.toString())).toEqual(['a\n', 'b']);
  });

  test('without a byte has no frame', async () => {
    expect(await read()).toEqual([]);
    expect(await read(Buffer.from('\n\n'))).toEqual([]);
  });
});

describe('the received time', () => {
  test.each([
    ['1786310820.4595509', 1_786_310_820_459_550],
    ['1723161254.087', 1_723_161_254_087_000],
    ['1723161254.123456789', 1_723_161_254_123_456],
    ['1723161254', 1_723_161_254_000_000],
    ['null', null],
  ])('%s is so many microseconds: %s', async (ts, receivedUs) => {
    expect(await read(Buffer.from(line(ts, '{}')))).toMatchObject([{ receivedUs }]);
  });

  test('is not taken from inside the frame', async () => {
    const text = `{"frame":${JSON.stringify('{"ts":1,"x":2}')},"ts":1723161254.5}`;
    expect(await read(Buffer.from(text))).toMatchObject([{ receivedUs: 1_723_161_254_500_000, line: 1 }]);
  });

  test('in another notation is refused', async () => {
    await expect(read(Buffer.from(line('1.7e9', '{}')))).rejects.toThrow('"ts" is 1700000000, not plain seconds');
    await expect(read(Buffer.from(line('-1', '{}')))).rejects.toThrow('"ts" is -1, not plain seconds or null');
  });
});
