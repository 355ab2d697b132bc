// Every recording of a real exchange that is there through the normalize program, beside an independent reading of the
// same frames in Python: every field of every trade, and every count.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { exchanges } from '../../worker/exchanges/index.ts';
import { type RecordingFigures, recordFigures } from '../figures.ts';
import { figure, normalize, ownRecording, run } from '../worker/normalize-program.ts';
import { noRecordings, recordingsFolder } from '../worker/recordings.ts';

const reading = join(import.meta.dirname, 'normalize.py');
const noPython = spawnSync('python3', ['--version']).status === 0 ? null : 'skipped: python3 is not installed';

/** Each process may have to wait for a busy machine. */
const testMsMax = 60_000;

interface Place {
  folder: string;
  metadata: string;
  /** Those of the exchange's protocol. */
  files: RegExp;
}

const places: Record<string, Place> = {
  binance: { folder: 'binance', metadata: 'exchangeInfo-20211012.json.gz', files: /./ },
  kraken: { folder: 'kraken', metadata: 'AssetPairs-20210417.json.gz', files: /./ },
  coinbase: { folder: 'coinbase', metadata: 'exchange-products-20210417.json.gz', files: /^(exchange|verbatim)/ },
  'coinbase-advanced': {
    folder: 'coinbase',
    metadata: 'advanced-trade-products-20260809.json.gz',
    files: /^(advanced|verbatim)/,
  },
  okx: { folder: 'okx', metadata: 'instruments-SPOT-20220513.json.gz', files: /./ },
  bybit: { folder: 'bybit', metadata: 'instruments-info-spot-20260809.json.gz', files: /./ },
};

/** Single frames of different years and of two protocols: what belongs together, by line from 0 on, end excluded. */
const parts: Record<string, [start: number, end: number][]> = {
  'kraken/v2-verbatim-samples.jsonl': [
    [0, 8],
    [8, 9],
    [9, 10],
  ],
  'coinbase/verbatim-samples.jsonl': [
    [0, 3],
    [3, 4],
  ],
  'coinbase-advanced/verbatim-samples.jsonl': [[4, 5]],
};

interface Compared {
  file: string;
  recording: Buffer;
  /** Null: none is given. */
  metadata: string | null;
}

function recordingsOf(id: string): Compared[] {
  const own = { file: 'our own', recording: readFileSync(ownRecording(`${id}.jsonl`)), metadata: null };
  const place = places[id];
  if (noRecordings !== null || place === undefined) return [own];
  const folder = join(recordingsFolder, place.folder);
  const metadata = join(folder, 'rest', place.metadata);
  const files = readdirSync(folder).filter((file) => file.includes('.jsonl') && place.files.test(file));
  const shared = files.flatMap((file): Compared[] => {
    const whole = readFileSync(join(folder, file));
    const cuts = parts[`${id}/${file}`]?.map(([start, end]) => ({
      file: `${file}, lines ${start + 1} to ${end}`,
      recording: Buffer.from(whole.toString().split('\n').slice(start, end).join('\n')),
      metadata,
    }));
    return cuts ?? [{ file, recording: whole, metadata }];
  });
  return [own, ...shared];
}

const missingIn = (summary: string) =>
  [...summary.matchAll(/, (\d+) missing$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);

interface Line {
  price: string;
  quantity: string;
  quote_volume: string;
  side: string;
}

const linesOf = (output: string) =>
  output
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);

/** @param ours output and summary of our program @param theirs output of the independent one */
function figuresOf(
  exchange: string,
  recording: string,
  { output, errors }: { output: string; errors: string },
  theirs: string,
): RecordingFigures {
  const lines = linesOf(output);
  const others = linesOf(theirs);
  const equal = (fields: (keyof Line)[]) =>
    lines.filter((line, index) => fields.every((field) => line[field] === others[index]?.[field])).length;
  const gaps = /^gaps: (\d+)/m.exec(errors)?.[1];
  return {
    exchange,
    recording,
    frames: figure(errors, 'frames'),
    trades: figure(errors, 'trades'),
    digitsEqual: equal(['price', 'quantity', 'quote_volume']),
    sidesEqual: equal(['side']),
    duplicates: figure(errors, 'duplicates'),
    unreadable: figure(errors, 'unreadable'),
    gaps: gaps === undefined ? null : Number(gaps),
    missing: missingIn(errors),
  };
}

describe.skipIf(noPython !== null)(
  `an independent reading${[noPython ?? noRecordings].flatMap((why) => (why ? [` (${why})`] : []))}`,
  () => {
    const table: RecordingFigures[] = [];
    const cases = Object.keys(exchanges).flatMap((id) => recordingsOf(id).map((it) => [id, it.file, it] as const));

    test.each(cases)('of %s, %s, is the same, field by field', { timeout: testMsMax }, async (id, file, compared) => {
      const { recording, metadata } = compared;
      const [ours, theirs] = await Promise.all([
        normalize(['--exchange', id, ...(metadata ? ['--metadata', metadata] : [])], recording),
        run('python3', [reading, id, ...(metadata ? [metadata] : [])], recording),
      ]);
      expect([theirs.code, ours.code]).toEqual([0, 0]);
      const figures = figuresOf(id, file, ours, theirs.output);
      recordFigures('recordings', figures);
      table.push(figures);
      expect(ours.output.split('\n')).toEqual(theirs.output.split('\n'));
      const { frames, trades, duplicates, unreadable, missing } = figures;
      expect({ frames, trades, duplicates, unreadable, missing }).toEqual(JSON.parse(theirs.errors));
      expect([figures.digitsEqual, figures.sidesEqual]).toEqual([trades, trades]);
    });

    test('has a recording of every exchange', () => {
      expect(Object.keys(places)).toEqual(expect.arrayContaining(Object.keys(exchanges)));
    });

    afterAll(() => console.table(table));
  },
);
