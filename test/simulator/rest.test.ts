import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from './manual-clock.ts';
import { type Simulator, startSimulator } from './simulator.ts';

let clock: ManualClock;
let simulator: Simulator;
let firstId: number;
beforeEach(async () => {
  clock = new ManualClock();
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 0, clock });
  await simulator.burst({ symbol: 'BTCUSDT', trades: 3000 });
  firstId = (await simulator.state()).symbols[0]?.firstId ?? 0;
});
afterEach(() => simulator.close());

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${simulator.url}/api/v3/${path}`, { headers });
const body = async <T>(path: string, headers?: Record<string, string>) =>
  (await (await get(path, headers)).json()) as T;

interface ExchangeInfo {
  symbols: { symbol: string; filters: object[] }[];
  rateLimits: object[];
}
interface Trade {
  id: number;
  price: string;
  qty: string;
  quoteQty: string;
  time: number;
}
interface Aggregate {
  a: number;
  f: number;
  l: number;
  T: number;
}
interface Refusal {
  code: number;
  msg: string;
}

describe('exchangeInfo', () => {
  test('lists every symbol with its assets and filters', async () => {
    const info = await body<ExchangeInfo>('exchangeInfo');
    expect(info.symbols.map((one) => one.symbol)).toEqual(['BTCUSDT', 'ETHUSDT', 'BNBUSDT']);
    expect(info.symbols[0]).toMatchObject({ status: 'TRADING', baseAsset: 'BTC', quoteAsset: 'USDT' });
    expect(info.symbols[0]?.filters[0]).toMatchObject({ filterType: 'PRICE_FILTER', tickSize: '0.01000000' });
    expect(info.rateLimits[0]).toEqual({
      rateLimitType: 'REQUEST_WEIGHT',
      interval: 'MINUTE',
      intervalNum: 1,
      limit: 6000,
    });
  });

  test('answers one symbol, several, or those of a status', async () => {
    await simulator.setSymbols({ add: [{ symbol: 'ETHUSDT', status: 'BREAK' }] });
    const symbols = async (query: string) =>
      (await body<ExchangeInfo>(`exchangeInfo?${query}`)).symbols.map((one) => one.symbol);
    expect(await symbols('symbol=BTCUSDT')).toEqual(['BTCUSDT']);
    expect(await symbols('symbols=["BTCUSDT","ETHUSDT"]')).toEqual(['BTCUSDT', 'ETHUSDT']);
    expect(await symbols('symbolStatus=TRADING')).toEqual(['BTCUSDT', 'BNBUSDT']);
    expect(await symbols('symbolStatus=BREAK')).toEqual(['ETHUSDT']);
  });
});

describe('historicalTrades', () => {
  test('answers the trades from an id on, in the shape of the documentation', async () => {
    const trades = await body<Trade[]>(`historicalTrades?symbol=BTCUSDT&fromId=${firstId + 5}&limit=1000`);
    expect(trades.map((trade) => trade.id)).toEqual(Array.from({ length: 1000 }, (_, index) => firstId + 5 + index));
    const [first = {} as Trade] = trades;
    expect(Object.keys(first)).toEqual(['id', 'price', 'qty', 'quoteQty', 'time', 'isBuyerMaker', 'isBestMatch']);
    const e8 = (text: string) => BigInt(text.replace('.', ''));
    expect(e8(first.quoteQty)).toBe((e8(first.price) * e8(first.qty)) / e8('1.00000000'));
  });

  test('gives 500 unless asked for another number, and at most 1,000', async () => {
    expect(await body<Trade[]>('historicalTrades?symbol=BTCUSDT')).toHaveLength(500);
    expect(await body<Trade[]>(`historicalTrades?symbol=BTCUSDT&fromId=${firstId}&limit=5000`)).toHaveLength(1000);
  });

  test('gives the newest without an id, the oldest for an id before them, nothing after the newest', async () => {
    const lastId = (await simulator.state()).symbols[0]?.lastId ?? 0;
    const newest = await body<Trade[]>('historicalTrades?symbol=BTCUSDT&limit=3');
    expect(newest.map((trade) => trade.id)).toEqual([lastId - 2, lastId - 1, lastId]);
    expect(await body<Trade[]>('trades?symbol=BTCUSDT&limit=3')).toEqual(newest);
    expect(await body<Trade[]>(`historicalTrades?symbol=BTCUSDT&fromId=${lastId + 1}`)).toEqual([]);
    const [oldest] = await body<Trade[]>('historicalTrades?symbol=BTCUSDT&fromId=1&limit=1');
    expect(oldest?.id).toBeLessThan(firstId);
  });

  test('answers in microseconds when the header asks for them', async () => {
    const [trade] = await body<Trade[]>('trades?symbol=BTCUSDT&limit=1', { 'X-MBX-TIME-UNIT': 'MICROSECOND' });
    expect(String(trade?.time)).toMatch(/^\d{16}$/);
  });
});

describe('aggTrades', () => {
  test('answers from an id on, each range beginning where the one before ended', async () => {
    const [{ a } = { a: 0 }] = await body<Aggregate[]>('aggTrades?symbol=BTCUSDT&limit=1');
    const orders = await body<Aggregate[]>(`aggTrades?symbol=BTCUSDT&fromId=${a - 99}&limit=50`);
    expect(Object.keys(orders[0] ?? {})).toEqual(['a', 'p', 'q', 'f', 'l', 'T', 'm', 'M']);
    expect(orders.map((order) => order.a)).toEqual(Array.from({ length: 50 }, (_, index) => a - 99 + index));
    for (const [index, order] of orders.slice(1).entries()) expect(order.f).toBe((orders[index]?.l ?? 0) + 1);
  });

  test('answers a span of time, and refuses it together with an id', async () => {
    const timeMs = clock.nowUs() / 1000;
    clock.advance(10_000);
    await simulator.burst({ symbol: 'BTCUSDT', trades: 10 });
    const orders = await body<Aggregate[]>(
      `aggTrades?symbol=BTCUSDT&startTime=${timeMs + 1000}&endTime=${timeMs + 20_000}`,
    );
    expect(orders.length).toBeGreaterThan(0);
    expect(orders.every((order) => order.T >= timeMs + 10_000 && order.T < timeMs + 11_000)).toBe(true);
    expect(await body<Aggregate[]>(`aggTrades?symbol=BTCUSDT&fromId=1&startTime=${timeMs}`)).toMatchObject({
      code: -1128,
    });
  });
});

describe('a wrong request', () => {
  test.each([
    ['exchangeInfo?symbol=NOPE', -1121, 'Invalid symbol.'],
    ['exchangeInfo?symbols=["BTCUSDT","NOPE"]', -1121, 'Invalid symbol.'],
    ['exchangeInfo?symbols=BTCUSDT', -1100, "Illegal characters found in parameter 'symbols'"],
    ['exchangeInfo?symbols=["BTCUSDT","BTCUSDT"]', -1151, 'Symbol is present multiple times in the list.'],
    ['exchangeInfo?symbol=BTCUSDT&symbolStatus=TRADING', -1128, 'Combination of optional parameters invalid.'],
    ['exchangeInfo?symbolStatus=OPEN', -1122, 'Invalid symbolStatus.'],
    ['trades?symbol=NOPE', -1121, 'Invalid symbol.'],
    ['trades', -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."],
    ['trades?symbol=', -1105, "Parameter 'symbol' was empty."],
    [
      'trades?symbol=btcusdt',
      -1100,
      "Illegal characters found in parameter 'symbol'; legal range is '^[\\w\\-._&&[^a-z]]{1,50}$'.",
    ],
    ['trades?symbol=BTCUSDT&symbol=BTCUSDT', -1101, 'Duplicate values for a parameter detected.'],
    [
      'trades?symbol=BTCUSDT&fromId=1',
      -1104,
      "Not all sent parameters were read; read '1' parameter(s) but was sent '2'.",
    ],
    ['trades?symbol=BTCUSDT&limit=many', -1100, "Illegal characters found in parameter 'limit'"],
    ['trades?symbol=BTCUSDT&limit=0', -1130, "Data sent for parameter 'limit' is not valid."],
  ])('%s is refused with %i', async (path, code, message) => {
    const response = await get(path);
    expect(response.status).toBe(400);
    const refusal = (await response.json()) as Refusal;
    expect(refusal.code).toBe(code);
    expect(refusal.msg).toContain(message);
  });
});

describe('request weight', () => {
  test('is counted for each minute and told in every answer', async () => {
    const used = async (path: string) => (await get(path)).headers.get('x-mbx-used-weight-1m');
    expect(await used('ping')).toBe('1');
    expect(await used('exchangeInfo')).toBe('21');
    expect(await used('aggTrades?symbol=BTCUSDT')).toBe('25');
    expect(await used('historicalTrades?symbol=BTCUSDT')).toBe('50');
    clock.advance(60_000);
    expect(await used('time')).toBe('1');
  });

  test('beyond the limit is refused with 429, and banned with 418 for going on', async () => {
    await simulator.setSettings({ weightPerMinuteMax: 50, refusalsBeforeBan: 2 });
    await get('historicalTrades?symbol=BTCUSDT');
    await get('historicalTrades?symbol=BTCUSDT');
    for (let count = 1; count <= 2; count++) {
      const limited = await get('ping');
      expect(limited.status).toBe(429);
      expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(Number(limited.headers.get('retry-after'))).toBeLessThanOrEqual(60);
      expect(await limited.json()).toMatchObject({
        code: -1003,
        msg: expect.stringContaining('limit is 50 request weight per 1 MINUTE'),
      });
    }
    const banned = await get('ping');
    expect(banned.status).toBe(418);
    expect(banned.headers.get('retry-after')).toBe('120');
    const untilMs = Math.floor(clock.nowUs() / 1000) + 120_000;
    expect(((await banned.json()) as Refusal).msg).toContain(`IP banned until ${untilMs}`);
    clock.advance(119_999);
    expect((await get('ping')).status).toBe(418);
    clock.advance(1);
    expect((await get('ping')).status).toBe(200);
  });

  test('is not refused after a client has waited as long as it was told to', async () => {
    await simulator.setSettings({ weightPerMinuteMax: 1 });
    await get('ping');
    const limited = await get('ping');
    clock.advance(Number(limited.headers.get('retry-after')) * 1000);
    expect((await get('ping')).status).toBe(200);
  });

  test('grows into longer bans for those who come back', async () => {
    await simulator.setSettings({ weightPerMinuteMax: 0, refusalsBeforeBan: 0 });
    expect((await get('ping')).headers.get('retry-after')).toBe('120');
    clock.advance(180_000);
    expect((await get('ping')).headers.get('retry-after')).toBe('240');
  });
});

describe('faults that a test orders', () => {
  test('answer with their status for so many requests', async () => {
    await simulator.addRestFault({ path: '/api/v3/exchangeInfo', status: 503, requests: 2 });
    expect((await get('exchangeInfo')).status).toBe(503);
    expect((await get('ping')).status).toBe(200);
    expect((await get('exchangeInfo')).status).toBe(503);
    expect((await get('exchangeInfo')).status).toBe(200);
  });

  test('ban everybody for as long as asked', async () => {
    await simulator.ban({ durationMs: 5000 });
    const banned = await get('ping');
    expect([banned.status, banned.headers.get('retry-after')]).toEqual([418, '5']);
    clock.advance(5000);
    expect((await get('ping')).status).toBe(200);
  });
});
