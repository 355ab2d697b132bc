// A real recording through the whole line: simulator, worker, broker, Java. 9,757 trades that Binance sent in 2024.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { openBed } from './bed.ts';
import { expectNormalizedEqual, expectRawEqual } from './comparison.ts';
import { apply, deleteFeed, manifestOf, ownTopics, settle, waitReady } from './feeds.ts';
import { deploySimulator } from './operator.ts';
import { eventually } from './process.ts';

const folder = process.env.K2_RECORDINGS ?? join(import.meta.dirname, '../../../shared/recordings');
const path = join(folder, 'binance/spot-trade-btcusdt-20240808.jsonl.gz');
const trades = 9757;
const name = 'recording';
const { topic, topics } = ownTopics(name);

test('a recorded stream arrives whole: none lost, doubled or altered', async (context) => {
  if (!existsSync(path)) context.skip(`no recording at ${path}: set K2_RECORDINGS to the folder of the recordings`);
  const bed = await openBed();
  afterAll(async () => deleteFeed(bed, name));
  const simulator = await deploySimulator(bed);
  await simulator.reset();
  await simulator.setRate({ tradesPerSecond: 0 });
  await apply(bed, manifestOf(name, { symbols: ['BTCUSDT'], topics }));
  await waitReady(bed, name);

  const recording = await readFile(path);
  await simulator.loadRecording(recording);
  await simulator.replay({ speed: 'flat' });
  await eventually('the end of the replay', 60_000, async () => {
    expect((await simulator.state()).replay).toMatchObject({ phase: 'done', sent: trades, unsubscribed: 0 });
  });
  const { sent, raw, normalized } = await settle(bed, simulator, topic);

  const recorded = gunzipSync(recording)
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).frame as string);
  expect(recorded.length).toBe(trades);
  const values = raw.map((record) => Buffer.from(record.value ?? '', 'base64').toString());
  expect(values).toEqual(recorded);
  expectRawEqual(sent, raw);
  expectNormalizedEqual(sent, normalized);
  expect(new Set(normalized.map((record) => (record.avro as { trade_id: string }).trade_id)).size).toBe(trades);
});
