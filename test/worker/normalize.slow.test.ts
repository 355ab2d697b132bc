// The normalize program, run as it is shipped, on small recordings of our own whose output is known line by line.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { exchanges } from '../../worker/exchanges/index.ts';
import { figure, normalize, ownRecording as own } from './normalize-program.ts';

const ids = Object.keys(exchanges);

/** Each test starts processes, which takes long on a busy machine. */
const timeout = 30_000;

describe('our own recordings', { timeout }, () => {
  test.each(ids)('of %s give the lines that are known, plain and packed', async (id) => {
    const recording = readFileSync(own(`${id}.jsonl`));
    const plain = await normalize(['--exchange', id], recording);
    expect(plain).toMatchObject({ code: 0, output: readFileSync(own(`${id}.expected.jsonl`), 'utf8') });
    expect(await normalize(['--exchange', id], gzipSync(recording))).toEqual(plain);
  });

  test('have a summary that says what was not written, and why', async () => {
    const { errors } = await normalize(['--exchange', 'binance'], readFileSync(own('binance.jsonl')));
    expect(errors.split('\n')).toEqual([
      'frames: 10 (subscribed 1, trades 6, unreadable 2, notice 1)',
      'trades: 5',
      'duplicates: 1',
      'unreadable: 2',
      '  line 7: not JSON',
      '  line 8: trade\'s p "6.1e4" is not a decimal',
      'gaps: 1',
      '  BTCUSDT: 103 to 103, 1 missing',
      'canonical symbol unknown, hence null: BTCUSDT, ETHUSDT (only the metadata tells it, and none was given)',
      "no received time: 1 trades; their timestamp is the exchange's",
      '',
    ]);
  });

  test('have the summary that the reference page shows', async () => {
    const page = readFileSync(new URL('../../docs/reference/normalize.md', import.meta.url), 'utf8');
    const { errors } = await normalize(['--exchange', 'kraken'], readFileSync(own('kraken.jsonl')));
    expect(page).toContain(`\n\`\`\`\n${errors}\`\`\`\n`);
  });

  test('take canonical symbols from the metadata, and name the symbols that it lacks', async () => {
    const args = ['--exchange', 'binance', '--metadata', own('binance-metadata.json')];
    const { output, errors } = await normalize(args, readFileSync(own('binance.jsonl')));
    const lines = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(new Set(lines.map((line) => line.canonical_symbol))).toEqual(new Set(['BTC/USDT', null]));
    expect(errors).toContain('hence null: ETHUSDT (the metadata does not list them)');
  });
});

describe('bad usage is one sentence that says what would be right', { timeout }, () => {
  test.each([
    [[], /^normalize: --exchange is missing: one of binance.*; for example: npm run -s normalize -- --exchange .*\n$/],
    [['--exchange', 'bitstamp'], /^normalize: --exchange 'bitstamp' is not one of binance.*; for example: .*\n$/],
    [['--exchnge', 'binance'], /^normalize: Unknown option '--exchnge'; for example: .*\n$/],
    [['--exchange', 'binance', '--metadata', 'none.json'], /^normalize: --metadata 'none.json' cannot be read .*\n$/],
    [
      ['--exchange', 'binance', '--metadata', 'package.json'],
      /^normalize: --metadata 'package.json' is no answer to .*\n$/,
    ],
    [
      ['--exchange', 'binance', '--schemas', 'none'],
      /^normalize: --schemas 'none.normalized-trade.avsc' cannot be .*\n$/,
    ],
  ])('%j', async (args, sentence) => {
    const { code, output, errors } = await normalize(args, Buffer.alloc(0));
    expect([code, output]).toEqual([2, '']);
    expect(errors).toMatch(sentence);
  });
});

describe('a bad recording', { timeout }, () => {
  const [good = ''] = readFileSync(own('binance.jsonl'), 'utf8').split('\n').slice(1);
  test.each([
    ['not JSON', `${good}\n{"ts":1,`, /^normalize: recording line 2: is not JSON; a line is \{"ts":/m],
    ['no frame', `${good}\n\n{"ts":1}`, /^normalize: recording line 3: has no text "frame"; a line is/m],
    ['no time', `${good}\n{"ts":"1","frame":"{}"}`, /^normalize: recording line 2: "ts" is "1", not plain seconds/m],
  ])('ends at the line that has %s, behind the trades before it and their summary', async (_, text, sentence) => {
    const { code, output, errors } = await normalize(['--exchange', 'binance'], Buffer.from(text));
    expect([code, output.trim().split('\n').length]).toEqual([1, 1]);
    expect(errors).toMatch(sentence);
    expect(figure(errors, 'trades')).toBe(1);
  });

  test('that was cut is told from one that is whole', async () => {
    const packed = gzipSync(readFileSync(own('binance.jsonl')));
    const { code, errors } = await normalize(['--exchange', 'binance'], packed.subarray(0, -20));
    expect(code).toBe(1);
    expect(errors).toMatch(/^normalize: recording: is no whole gzip file \(unexpected end of file\)$/m);
  });
});
