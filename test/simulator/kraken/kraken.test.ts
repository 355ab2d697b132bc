import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../manual-clock.ts';
import { type Simulator, startSimulator } from '../simulator.ts';
import { collect, TestClient } from '../test-client.ts';

let clock: ManualClock;
let simulator: Simulator;
beforeEach(async () => {
  clock = new ManualClock(Date.UTC(2026, 8, 30, 1, 34, 6));
  const symbols = ['BTC/USD', 'DOGE/USD', 'SOL/USD', 'BTCUSDT'];
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 0, clock, symbols });
});
afterEach(() => simulator.close());

/** A client that has read the greeting. */
async function connect(): Promise<TestClient> {
  const client = await TestClient.connect(`${simulator.webSocketUrl}/kraken/v2`);
  await client.received(1);
  return client;
}

const subscribe = (symbol: string[], more: object = {}) => ({
  method: 'subscribe',
  params: { channel: 'trade', symbol, ...more },
  req_id: 7,
});

describe('a client of Kraken', () => {
  test('is greeted with a status whose connection id goes beyond 2^53', async () => {
    const [status = ''] = (await connect()).frames;
    expect(status).toMatch(/^\{"channel":"status","type":"update","data":\[\{"version":"2\.0\.10","system":"online"/);
    expect(BigInt(/"connection_id":(\d+)/.exec(status)?.[1] ?? 0)).toBeGreaterThan(2n ** 53n);
  });

  test('gets one answer for each symbol, and the last 50 trades in one frame, oldest first', async () => {
    const client = await connect();
    client.send(subscribe(['BTC/USD', 'SOL/USD']));
    const [, ack = '', snapshot = '', ack2 = ''] = await client.received(5);
    expect(JSON.parse(ack)).toEqual({
      ...{ method: 'subscribe', req_id: 7, success: true },
      result: { channel: 'trade', snapshot: true, symbol: 'BTC/USD' },
      ...{ time_in: '2026-09-30T01:34:06.000000Z', time_out: '2026-09-30T01:34:06.000000Z' },
    });
    expect(JSON.parse(ack2).result.symbol).toBe('SOL/USD');
    const { type, data } = JSON.parse(snapshot);
    expect([type, data.length]).toEqual(['snapshot', 50]);
    expect(data.map((trade: { trade_id: number }) => trade.trade_id - data[0].trade_id)).toEqual([...Array(50).keys()]);
  });

  test('gets the next trade right after the snapshot, in frames of one order with several trades', async () => {
    const client = await connect();
    client.send(subscribe(['BTC/USD']));
    await client.received(3);
    await simulator.burst({ symbol: 'BTCUSD', trades: 50 });
    const { trades } = (await simulator.state()).symbols[0] ?? { trades: 0 };
    const sent = await collect(simulator.sent({ symbol: 'BTCUSD' }));
    const frames = (await client.received(2 + sent.length)).slice(2).map((frame) => JSON.parse(frame));
    const ids: number[] = frames.flatMap(({ data }) => data.map((trade: { trade_id: number }) => trade.trade_id));
    expect(ids.map((id) => id - (ids[0] ?? 0))).toEqual([...Array(50 + trades).keys()]);
    const updates = frames.slice(1);
    expect(Math.max(...updates.map(({ data }) => data.length))).toBeGreaterThan(1);
    for (const { data } of updates) {
      expect(new Set(data.map((trade: { timestamp: string }) => trade.timestamp)).size).toBe(1);
    }
  });

  test('gets bare numbers with their zeros, and times with six digits', async () => {
    const client = await connect();
    client.send(subscribe(['BTC/USD'], { snapshot: false }));
    await client.received(2);
    await simulator.burst({ symbol: 'BTCUSD', trades: 1 });
    const trade = [
      '"symbol":"BTC/USD","side":"(buy|sell)","price":\\d+\\.\\d,"qty":\\d+\\.\\d{8}',
      '"ord_type":"(limit|market)","trade_id":\\d+,"timestamp":"2026-09-30T01:34:06\\.\\d{6}Z"',
    ].join(',');
    const frame = new RegExp(`^\\{"channel":"trade","type":"update","data":\\[\\{${trade}\\}[,\\]]`);
    expect((await client.received(3))[2]).toMatch(frame);
  });

  test('is refused the names of v1, what it has, and what it has not, and stays connected', async () => {
    const client = await connect();
    expect(JSON.parse(await client.ask(subscribe(['XBT/USD'])))).toMatchObject({
      ...{ error: 'Currency pair not supported XBT/USD', method: 'subscribe', req_id: 7 },
      ...{ success: false, symbol: 'XBT/USD' },
    });
    await client.ask(subscribe(['BTC/USD'], { snapshot: false }));
    expect(await client.ask(subscribe(['BTC/USD']))).toContain('Already subscribed');
    const unsubscribe = { method: 'unsubscribe', params: { channel: 'trade', symbol: ['BTC/USD'] } };
    expect(JSON.parse(await client.ask(unsubscribe))).toMatchObject({ method: 'unsubscribe', success: true });
    expect(await client.ask(unsubscribe)).toContain('Subscription Not Found');
    expect(await client.ask({ method: 'ping', req_id: 8 })).toMatch(/^\{"method":"pong","req_id":8,"time_in":/);
    expect(await client.ask('ping')).toContain('"success":false');
  });

  test('gets a heartbeat every second, but none without a subscription', async () => {
    const client = await connect();
    clock.advance(1000);
    await client.ask(subscribe(['BTC/USD'], { snapshot: false }));
    clock.advance(1000);
    clock.advance(1000);
    expect((await client.received(4)).slice(2)).toEqual(['{"channel":"heartbeat"}', '{"channel":"heartbeat"}']);
  });
});

describe('Kraken by REST', () => {
  const get = async (path: string) => (await fetch(`${simulator.url}/kraken/0/public/${path}`)).text();

  test('lists pairs under their old names', async () => {
    const { result } = JSON.parse(await get('AssetPairs'));
    expect(Object.keys(result)).toEqual(['XXBTZUSD', 'XDGUSD', 'SOLUSD', 'XBTUSDT']);
    expect(result.XXBTZUSD).toMatchObject({ altname: 'XBTUSD', wsname: 'XBT/USD', base: 'XXBT', quote: 'ZUSD' });
    expect(Object.keys(JSON.parse(await get('AssetPairs?pair=XBTUSD')).result)).toEqual(['XXBTZUSD']);
    expect(await get('AssetPairs?pair=NOPE')).toBe('{"error":["EQuery:Unknown asset pair"]}');
  });

  /** Pages of 100 trades: where the next one begins is for `nextSince` to say. */
  async function page(startNs: bigint, nextSince: (last: bigint) => bigint): Promise<number[]> {
    const ids: number[] = [];
    for (let since = startNs, pages = 0; pages < 3; pages++) {
      clock.advance(1000);
      const { result } = JSON.parse(await get(`Trades?pair=XBTUSD&since=${since}&count=100`));
      ids.push(...result.XXBTZUSD.map((row: unknown[]) => row[6]));
      since = nextSince(BigInt(result.last));
    }
    return ids;
  }

  test('answers trades after an instant, which is excluded, so that pages have to overlap', async () => {
    const startNs = BigInt(clock.nowUs()) * 1000n;
    clock.advance(1000);
    await simulator.burst({ symbol: 'BTCUSD', trades: 200 });
    const made = (await collect(simulator.made({ symbol: 'BTCUSD' }))).map(({ id }) => Number(id));
    const overlapping = await page(startNs, (last) => last - 1n);
    expect(overlapping.length).toBeGreaterThan(made.length);
    expect([...new Set(overlapping)]).toEqual(made);
    // A page may end in the middle of an order, whose trades are all of one instant.
    const onward = await page(startNs, (last) => last);
    expect(new Set(onward).size).toBe(onward.length);
    expect(onward.length).toBeLessThan(made.length);
  });

  test('writes rows with texts and bare numbers, under the name that was asked for', async () => {
    const answer = await get('Trades?pair=BTC/USD&count=1');
    const row = '\\["\\d+\\.\\d{5}","\\d+\\.\\d{8}",\\d+(\\.\\d{1,7})?,"[bs]","[ml]","",\\d+\\]';
    expect(answer).toMatch(new RegExp(`^\\{"error":\\[\\],"result":\\{"BTC/USD":\\[${row}\\],"last":"\\d{19}"\\}\\}$`));
  });

  test('answers two requests a second and pair', async () => {
    for (let count = 0; count < 2; count++) await get('Trades?pair=XBTUSD');
    expect(await get('Trades?pair=XBTUSD')).toBe('{"error":["EGeneral:Too many requests"]}');
    expect(await get('Trades?pair=SOLUSD')).toContain('"error":[]');
    clock.advance(1000);
    expect(await get('Trades?pair=XBTUSD')).toContain('"error":[]');
  });
});
