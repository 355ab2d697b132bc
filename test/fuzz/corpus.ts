// Real frames to begin from: our own recordings, which are always there, and those of the exchanges where present.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { exchanges } from '../../worker/exchanges/index.ts';
import { noRecordings, recordingsFolder } from '../worker/recordings.ts';

/** Longer frames are snapshots: more of the same trades, and each takes the time of many short ones. */
const frameCharactersMax = 2500;

/** Of one file: a day of one channel is mostly one shape. */
const framesPerFileMax = 400;

/** Where a value, or a name, stands in a frame's text. */
export interface Span {
  start: number;
  end: number;
}

export interface CorpusFrame {
  text: string;
  /** Texts, numbers and words, names of fields not among them. */
  values: Span[];
  /** The names of fields, with their quotes. */
  names: Span[];
}

export type Frames = readonly [CorpusFrame, ...CorpusFrame[]];

export interface Corpus {
  /** By exchange: all frames, and those that have trades. */
  frames: ReadonlyMap<string, { all: Frames; trades: Frames }>;
  /** Of all frames: runs with the same fingerprint and seed read the same frames. */
  fingerprint: string;
}

const token = /"(?:[^"\\]|\\.)*"(\s*:)?|-?\d[\d.eE+-]*|true|false|null/g;

function frameOf(text: string): CorpusFrame {
  const values: Span[] = [];
  const names: Span[] = [];
  for (const match of text.matchAll(token)) {
    const colon = match[1];
    const span = { start: match.index, end: match.index + match[0].length - (colon?.length ?? 0) };
    (colon === undefined ? values : names).push(span);
  }
  return { text, values, names };
}

function framesOf(texts: readonly string[], id: string): Frames {
  const [first, ...rest] = texts.map(frameOf);
  if (first === undefined) throw new Error(`${id}: its recordings have no frame, or none with trades`);
  return [first, ...rest];
}

/** Folders of recordings by exchange: two feeds of one company share one. */
const folders: Record<string, string> = { 'coinbase-advanced': 'coinbase' };

export function readCorpus(): Corpus {
  const hash = createHash('sha256');
  const frames = new Map<string, { all: Frames; trades: Frames }>();
  for (const [id, { parse }] of Object.entries(exchanges)) {
    const files = [join(import.meta.dirname, '../recordings', `${id}.jsonl`), ...recordedFiles(folders[id] ?? id)];
    const texts = [...new Set(files.flatMap(textsOf))];
    for (const text of texts) hash.update(text);
    const hasTrades = (text: string) => parse(Buffer.from(text)).kind === 'trades';
    frames.set(id, { all: framesOf(texts, id), trades: framesOf(texts.filter(hasTrades), id) });
  }
  return { frames, fingerprint: hash.digest('hex').slice(0, 12) };
}

function recordedFiles(folder: string): string[] {
  if (noRecordings !== null) return [];
  const path = join(recordingsFolder, folder);
  return readdirSync(path)
    .filter((file) => file.includes('.jsonl'))
    .sort()
    .map((file) => join(path, file));
}

function textsOf(file: string): string[] {
  const bytes = readFileSync(file);
  const lines = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString().split('\n');
  const texts = lines.filter((line) => line !== '').map((line) => (JSON.parse(line) as { frame: string }).frame);
  return texts.filter(({ length }) => length <= frameCharactersMax).slice(0, framesPerFileMax);
}
