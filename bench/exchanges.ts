// `make exchanges`: reads every recording and lets every exchange meet its faults, by the tests that do so anyway, and
// writes docs/exchanges.md from the figures that they recorded.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FaultFigures, type RecordingFigures, readFigures } from '../test/figures.ts';
import { noRecordings } from '../test/worker/recordings.ts';
import { exchanges } from '../worker/exchanges/index.ts';

const root = join(import.meta.dirname, '..');
const recordingTests = 'test/independent/normalize.slow.test.ts';
const faultTests = 'test/worker/exchange-faults.slow.test.ts';

const rowOf = (cells: (string | number)[]) => `| ${cells.join(' | ')} |`;

const headOf = (cells: string[]) => `${rowOf(cells)}\n|${'---|'.repeat(cells.length)}`;

const sum = <T>(list: readonly T[], value: (one: T) => number) => list.reduce((total, one) => total + value(one), 0);

const of = (part: number, whole: number) => `${part} of ${whole}`;

const recordingColumns = [
  ...['exchange', 'recordings', 'frames', 'trades', 'digits equal', 'side equal'],
  ...['duplicates', 'unreadable', 'gaps found', 'ids jumped over'],
];

function recordingRow(exchange: string, figures: RecordingFigures[]): string {
  const trades = sum(figures, (one) => one.trades);
  const isProvable = figures.every(({ gaps }) => gaps !== null);
  return rowOf([
    ...[exchange, figures.length, sum(figures, ({ frames }) => frames), trades],
    of(
      sum(figures, ({ digitsEqual }) => digitsEqual),
      trades,
    ),
    of(
      sum(figures, ({ sidesEqual }) => sidesEqual),
      trades,
    ),
    ...[sum(figures, ({ duplicates }) => duplicates), sum(figures, ({ unreadable }) => unreadable)],
    ...(isProvable
      ? [sum(figures, ({ gaps }) => gaps ?? 0), sum(figures, ({ missing }) => missing)]
      : ['not provable', 'not provable']),
  ]);
}

const faultColumns = [
  'exchange',
  'faults',
  'trades made',
  'lost',
  'doubled',
  'repaired',
  'came again',
  'says complete',
];

function faultRow({ exchange, faults, made, lost, doubled, repaired, duplicates, proven }: FaultFigures): string {
  const kinds = Object.entries(faults)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${kind} ${count}`);
  const claim = proven === null ? 'cannot be proven' : proven ? 'yes' : 'no';
  return rowOf([exchange, kinds.join(', '), made, lost, doubled, repaired, duplicates, claim]);
}

function page(recordings: RecordingFigures[], faults: FaultFigures[]): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  const source = noRecordings
    ? 'Our own recordings only: those of the exchanges were not there.'
    : 'Recordings of the exchanges, and our own of each.';
  return `# The exchanges, in figures

Written by \`make exchanges\`: commit ${commit}, Node ${process.version}. Every figure comes from a test, which fails
where it is not as it should be.

## Recorded frames

${source}
Each goes through \`npm run -s normalize\` and through an independent reading in Python
([normalize.py](../test/independent/normalize.py)), which shares no code with the worker; the lines of both are
compared field by field ([test](../${recordingTests})).
Digits are those of price, quantity and quote volume. A gap is a jump of ids that the recording shows: frames that its
maker left out, or frames of several days in one file.

${headOf(recordingColumns)}
${byExchange(recordings)
  .map(([id, figures]) => recordingRow(id, figures))
  .join('\n')}

## Faults

A feed on the [simulator](../test/simulator/README.md), which drops, doubles, reorders, delays and breaks frames, cuts
the connection, and makes a burst while nobody is connected; then what was written is compared with what was made
([test](../${faultTests})).
Where ids prove nothing, only faults that take no trade away: one that is dropped there is lost, and nobody can know.

${headOf(faultColumns)}
${byExchange(faults)
  .flatMap(([, figures]) => figures.map(faultRow))
  .join('\n')}
`;
}

/** In the order of the registry; every exchange, or it is no table of all. */
function byExchange<T extends { exchange: string }>(figures: T[]): [string, T[]][] {
  return Object.keys(exchanges).map((id) => {
    const own = figures.filter(({ exchange }) => exchange === id);
    if (own.length === 0) throw new Error(`${id}: no test recorded a figure; is python3 installed?`);
    return [id, own];
  });
}

const folder = mkdtempSync(join(tmpdir(), 'k2-figures-'));
const env = { ...process.env, K2_FIGURES: folder };
const vitest = ['run', '--project', 'slow', recordingTests, faultTests];
const { status } = spawnSync('vitest', vitest, { cwd: root, env, stdio: 'inherit' });
const recordings = readFigures(folder, 'recordings');
const faults = readFigures(folder, 'faults');
rmSync(folder, { recursive: true });
if (status === 0) writeFileSync(join(root, 'docs/exchanges.md'), page(recordings, faults));
process.exitCode = status ?? 1;
