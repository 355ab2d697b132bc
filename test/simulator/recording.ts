// Recordings: one received frame a line, `{"ts":<receive time, epoch seconds or null>,"frame":"<exact text>"}`, plain
// or gzip.
import { gunzipSync } from 'node:zlib';

/** Unpacked; a recording of a day belongs into a load test, not into memory. */
const unpackedBytesMax = 512 * 1024 * 1024;

export interface RecordedFrame {
  /** Seconds since 1970 at which it was received; null where the recorder kept none. */
  receivedS: number | null;
  /** The frame, byte for byte. */
  text: string;
}

/**
 * @param body jsonl, or gzip of it
 * @throws Error that names the line and what is wrong with it
 */
export function parseRecording(body: Buffer): RecordedFrame[] {
  const packed = body[0] === 0x1f && body[1] === 0x8b;
  const text = (packed ? gunzipSync(body, { maxOutputLength: unpackedBytesMax }) : body).toString('utf8');
  const frames: RecordedFrame[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() !== '') frames.push(parseLine(line, index + 1));
  }
  if (frames.length === 0)
    throw new Error('recording: has no line; each line is {"ts":<seconds or null>,"frame":"<text>"}');
  return frames;
}

function parseLine(line: string, number: number): RecordedFrame {
  const refuse = (why: string) =>
    new Error(`recording line ${number}: ${why}; a line is {"ts":<seconds or null>,"frame":"<text>"}`);
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw refuse(`is not JSON (${error instanceof Error ? error.message : error})`);
  }
  if (typeof value !== 'object' || value === null || !('frame' in value) || typeof value.frame !== 'string') {
    throw refuse('has no text "frame"');
  }
  const ts = 'ts' in value ? value.ts : null;
  if (ts !== null && typeof ts !== 'number') throw refuse(`"ts" is ${JSON.stringify(ts)}, not seconds or null`);
  return { receivedS: ts, text: value.frame };
}
