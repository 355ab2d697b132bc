// Reads a recording: one received frame a line, `{"ts":<receive time, epoch seconds or null>,"frame":"<exact text>"}`,
// plain or gzip. Streaming, so that a recording of a day needs no more memory than its longest line.
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';

/** A snapshot of a whole order book is some megabytes, escaped; more is no frame of any exchange. */
const lineBytesMax = 64 * 1024 * 1024;

const newline = 0x0a;

export interface RecordedFrame {
  /** From 1 on. */
  line: number;
  /** Byte for byte as received. */
  frame: Buffer;
  /** Microseconds since 1970, rounded down; null where the recorder kept no time. */
  receivedUs: number | null;
}

/**
 * The frames of a recording, in its order.
 * @param bytes jsonl, or gzip of it, in chunks of any size
 * @throws Error that names the line and what is wrong with it
 */
export async function* readRecording(bytes: AsyncIterable<Buffer>): AsyncGenerator<RecordedFrame> {
  let line = 0;
  for await (const text of linesOf(unpacked(bytes))) {
    line++;
    if (text.trim() !== '') yield { line, ...parseLine(text, line) };
  }
}

async function* unpacked(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = bytes[Symbol.asyncIterator]();
  let head = await iterator.next();
  while (!head.done && head.value.length === 0) head = await iterator.next();
  if (head.done) return;
  const first = head.value;
  async function* whole(): AsyncGenerator<Buffer> {
    yield first;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  // https://www.rfc-editor.org/rfc/rfc1952#page-6: the first byte of every gzip file; never the first of JSON text.
  if (first[0] !== 0x1f) yield* whole();
  else yield* gunzip(whole());
}

async function* gunzip(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    // What goes wrong ends the loop, too, so the callback has nothing to add.
    yield* pipeline(bytes, createGunzip(), () => {});
  } catch (error) {
    const why = error instanceof Error ? error.message : error;
    throw new Error(`recording: is no whole gzip file (${why})`, { cause: error });
  }
}

async function* linesOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of bytes) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      yield Buffer.concat([...parts, chunk.subarray(start, end)]).toString();
      parts = [];
      length = 0;
      start = end + 1;
    }
    parts.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > lineBytesMax) throw new Error(`recording: a line is longer than ${lineBytesMax} bytes`);
  }
  if (length > 0) yield Buffer.concat(parts).toString();
}

function parseLine(text: string, line: number): Pick<RecordedFrame, 'frame' | 'receivedUs'> {
  const refuse = (why: string) =>
    new Error(`recording line ${line}: ${why}; a line is {"ts":<seconds or null>,"frame":"<text>"}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refuse('is not JSON');
  }
  if (typeof value !== 'object' || value === null || !('frame' in value) || typeof value.frame !== 'string') {
    throw refuse('has no text "frame"');
  }
  const frame = Buffer.from(value.frame);
  if (!('ts' in value) || value.ts === null) return { frame, receivedUs: null };
  // From the text: a float of this size is exact to a quarter of a microsecond only. Inside the frame the quotes are
  // escaped, so nothing there matches.
  const [, seconds, fraction = ''] = /"ts"\s*:\s*(\d{1,11})(?:\.(\d+))?\s*[,}]/.exec(text) ?? [];
  if (seconds === undefined) throw refuse(`"ts" is ${JSON.stringify(value.ts)}, not plain seconds or null`);
  return { frame, receivedUs: Number(seconds + fraction.slice(0, 6).padEnd(6, '0')) };
}
