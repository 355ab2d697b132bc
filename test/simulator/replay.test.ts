import { existsSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from './manual-clock.ts';
import { parseRecording } from './recording.ts';
import { type Simulator, startSimulator } from './simulator.ts';
import { collect, TestClient } from './test-client.ts';

const clock = new ManualClock();
let simulator: Simulator;
beforeEach(async () => {
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 0, clock });
});
afterEach(() => simulator.close());

/** After the documentation, with what a rewriting player would lose: spaces, key order, escapes, trailing zeros. */
const frames = [
  '{"stream":"btcusdt@trade","data":{"e":"trade","E":1672515782136,"s":"BTCUSDT","t":12345,"p":"0.00100000","M":true}}',
  '{"stream":"ethusdt@trade","data":{"e":"trade","E":1672515782137,"s":"ETHUSDT","t":1,"p":"1.10","q":"2.00"}}',
  '{"stream":"btcusdt@trade","data":{ "t":12346, "s":"BTCUSDT", "e":"trade", "x":"\\u00e9\\/", "n":1.50 }}',
  '{"stream":"btcusdt@bookTicker","data":{"u":400900217,"s":"BTCUSDT","b":"25.35190000"}}',
];
const recording = (texts: string[], times: (number | null)[] = []) =>
  Buffer.from(texts.map((frame, index) => `${JSON.stringify({ ts: times[index] ?? null, frame })}\n`).join(''));
const connect = (path: string) => TestClient.connect(`${simulator.webSocketUrl}${path}`);
const bothSymbols = '/stream?streams=btcusdt@trade/ethusdt@trade';

async function done(): Promise<void> {
  while ((await simulator.state()).replay.phase !== 'done') await new Promise((resolve) => setImmediate(resolve));
}

describe('a replay', () => {
  test('sends frames byte for byte, in order, to those who subscribed, and counts', async () => {
    const client = await connect(bothSymbols);
    expect(await simulator.loadRecording(recording(frames))).toMatchObject({ phase: 'loaded', frames: 4 });
    await simulator.replay({ speed: 'flat' });
    expect(await client.received(3)).toEqual(frames.slice(0, 3));
    await done();
    const expected = { phase: 'done', frames: 4, framesPlayed: 4, sent: 3, unsubscribed: 1 };
    expect((await simulator.state()).replay).toEqual(expected);
    const ledger = await collect(simulator.sent({ symbol: 'BTCUSDT' }));
    expect(ledger.map(({ id, frame }) => [id, frame])).toEqual([
      [12345, frames[0]],
      [12346, frames[2]],
    ]);
  });

  test('sends the payload alone on a raw connection, cut out of the frame as it stands', async () => {
    const client = await connect('/ws/btcusdt@trade');
    await simulator.loadRecording(recording(frames));
    await simulator.replay({ speed: 'flat' });
    expect((await client.received(2))[1]).toBe('{ "t":12346, "s":"BTCUSDT", "e":"trade", "x":"\\u00e9\\/", "n":1.50 }');
  });

  test('puts the envelope around a frame that was recorded raw', async () => {
    const client = await connect('/stream?streams=bnbbtc@trade');
    await simulator.loadRecording(recording(['{"e":"trade","s":"BNBBTC","t":7}']));
    await simulator.replay({ speed: 'flat' });
    expect(await client.received(1)).toEqual(['{"stream":"bnbbtc@trade","data":{"e":"trade","s":"BNBBTC","t":7}}']);
  });

  test('sends frames of any length', async () => {
    const lengths = [0, 71, 72, 1000, 65_481, 65_482, 200_000];
    const texts = lengths.map(
      (length) => `{"stream":"btcusdt@trade","data":{"e":"trade","x":"${'x'.repeat(length)}"}}`,
    );
    const client = await connect('/stream?streams=btcusdt@trade');
    await simulator.loadRecording(recording(texts));
    await simulator.replay({ speed: 'flat' });
    expect(await client.received(lengths.length)).toEqual(texts);
  });

  test('keeps the recorded distances, or divides them by the speed', async () => {
    for (const [speed, secondMs] of [
      [1, 1000],
      [10, 100],
    ] as const) {
      const client = await connect(bothSymbols);
      await simulator.loadRecording(recording(frames.slice(0, 3), [1000.5, 1001.5, 1011.5]));
      await simulator.replay({ speed });
      await client.received(1);
      clock.advance(secondMs - 1);
      expect((await simulator.state()).replay.framesPlayed).toBe(1);
      clock.advance(1);
      await client.received(2);
      clock.advance(10 * secondMs - 1);
      expect((await simulator.state()).replay.framesPlayed).toBe(2);
      clock.advance(1);
      expect(await client.received(3)).toEqual(frames.slice(0, 3));
      await done();
      await simulator.cut();
    }
  });

  test('runs once for each upload', async () => {
    await expect(simulator.replay({ speed: 'flat' })).rejects.toThrow('no recording is loaded');
    await simulator.loadRecording(recording(frames));
    await simulator.replay({ speed: 'flat' });
    await expect(simulator.replay({ speed: 'flat' })).rejects.toThrow('already');
    await done();
    await expect(simulator.replay({ speed: 'flat' })).rejects.toThrow(
      'this recording is done already; upload it again',
    );
    await simulator.loadRecording(recording(frames));
    await simulator.replay({ speed: 'flat' });
  });

  test('waits for a client that reads slowly, and loses nothing', async () => {
    const long = 'x'.repeat(4000);
    const many = Array.from(
      { length: 5000 },
      (_, id) => `{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":${id},"x":"${long}"}}`,
    );
    await simulator.setSettings({ bufferBytesMax: 4 * 1024 * 1024 });
    const client = await connect('/stream?streams=btcusdt@trade');
    client.webSocket.pause();
    await simulator.loadRecording(recording(many));
    await simulator.replay({ speed: 'flat' });
    // Played until sockets and buffers are full, far from the end.
    let played = -1;
    for (let now = 0; now !== played || now === 0; now = (await simulator.state()).replay.framesPlayed) {
      played = now;
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    }
    expect(played).toBeLessThan(5000);
    client.webSocket.resume();
    expect(await client.received(5000)).toEqual(many);
  });
});

describe('a recording', () => {
  test('may be packed', () => {
    expect(parseRecording(gzipSync(recording(frames, [1.5])))).toEqual(
      frames.map((text, index) => ({ receivedS: index === 0 ? 1.5 : null, text })),
    );
  });

  test.each([
    ['', 'recording: has no line'],
    ['{"ts":1,"frame":"a"}\nnot json', 'recording line 2: is not JSON'],
    ['{"ts":1,"text":"a"}', 'recording line 1: has no text "frame"'],
    ['{"ts":"1","frame":"a"}', 'recording line 1: "ts" is "1", not seconds or null'],
  ])('is refused where it is wrong: %j', (text, message) => {
    expect(() => parseRecording(Buffer.from(text))).toThrow(message);
  });
});

const recordings = process.env.K2_RECORDINGS ?? new URL('../../../shared/recordings', import.meta.url).pathname;
const real = `${recordings}/binance/spot-trade-btcusdt-20240808.jsonl.gz`;

describe.skipIf(!existsSync(real))('the recording of BTCUSDT', () => {
  test('arrives as 9,757 frames, byte for byte', async () => {
    const body = readFileSync(real);
    const client = await connect('/stream?streams=btcusdt@trade');
    await simulator.loadRecording(body);
    await simulator.replay({ speed: 'flat' });
    const texts = parseRecording(body).map((frame) => frame.text);
    expect(texts).toHaveLength(9757);
    expect(await client.received(9757)).toEqual(texts);
    const ledger = await collect(simulator.sent({ symbol: 'BTCUSDT' }));
    expect(ledger.map(({ frame }) => frame)).toEqual(texts);
  });
});
