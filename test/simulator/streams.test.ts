import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Simulator, startSimulator } from './simulator.ts';
import { TestClient } from './test-client.ts';

let simulator: Simulator;
beforeEach(async () => {
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 0 });
});
afterEach(() => simulator.close());

const connect = (path: string) => TestClient.connect(`${simulator.webSocketUrl}${path}`);
const subscribe = (...params: string[]) => ({ method: 'SUBSCRIBE', params, id: 1 });
const burst = (symbol: string, trades = 1) => simulator.burst({ symbol, trades });
const fields = [
  '"e":"trade","E":\\d{13},"s":"BTCUSDT","t":\\d+,"p":"\\d+\\.\\d{8}","q":"\\d+\\.\\d{8}"',
  '"T":\\d{13},"m":(true|false),"M":true',
].join(',');
const combinedTrade = new RegExp(`^\\{"stream":"btcusdt@trade","data":\\{${fields}\\}\\}$`);

describe('a client of the combined endpoint', () => {
  test('subscribes, is acknowledged, and gets trades in the envelope', async () => {
    const client = await connect('/stream');
    expect(await client.ask(subscribe('btcusdt@trade'))).toBe('{"result":null,"id":1}');
    await burst('BTCUSDT');
    const [, frame = ''] = await client.received(2);
    expect(frame).toMatch(combinedTrade);
  });

  test('may name its streams in the address', async () => {
    const client = await connect('/stream?streams=btcusdt@trade/ethusdt@trade');
    expect(JSON.parse(await client.ask({ method: 'LIST_SUBSCRIPTIONS', id: 3 }))).toEqual({
      result: ['btcusdt@trade', 'ethusdt@trade'],
      id: 3,
    });
    await burst('BTCUSDT');
    expect((await client.received(2))[1]).toMatch(combinedTrade);
  });

  test('gets times in microseconds when the address asks for them, of which milliseconds are the cut', async () => {
    const fine = await connect('/stream?streams=btcusdt@trade&timeUnit=MICROSECOND');
    const coarse = await connect('/stream?streams=btcusdt@trade');
    await burst('BTCUSDT');
    const { data } = JSON.parse((await fine.received(1))[0] ?? '');
    expect(String(data.T)).toMatch(/^\d{16}$/);
    expect(String(data.E)).toMatch(/^\d{16}$/);
    expect(data.E).toBeGreaterThan(data.T);
    const inMs = { ...data, E: Math.floor(data.E / 1000), T: Math.floor(data.T / 1000) };
    expect(JSON.parse((await coarse.received(1))[0] ?? '').data).toEqual(inMs);
    await expect(connect('/stream?timeUnit=NANOSECOND')).rejects.toThrow('400');
  });

  test('gets every trade id of a symbol once and in order, and the symbols it did not ask for not at all', async () => {
    const client = await connect('/stream?streams=btcusdt@trade');
    await burst('ETHUSDT', 100);
    await burst('BTCUSDT', 500);
    const trades = (await client.received(500)).map((frame) => JSON.parse(frame).data);
    expect(new Set(trades.map((trade) => trade.s))).toEqual(new Set(['BTCUSDT']));
    expect(trades.map((trade) => trade.t)).toEqual(trades.map((_, index) => trades[0].t + index));
  });

  test('gets aggregate trades that cover the trades underneath', async () => {
    const client = await connect('/stream?streams=btcusdt@trade/btcusdt@aggTrade');
    await burst('BTCUSDT', 100);
    const data = (await client.received(130)).map((frame) => JSON.parse(frame).data);
    const aggregates = data.filter((one) => one.e === 'aggTrade');
    expect(Object.keys(aggregates[0])).toEqual(['e', 'E', 's', 'a', 'p', 'q', 'f', 'l', 'T', 'm', 'M']);
    for (const { f, l, p, T, m } of aggregates) {
      const trades = data.filter((one) => one.e === 'trade' && one.t >= f && one.t <= l);
      expect(trades).toHaveLength(l - f + 1);
      for (const trade of trades) expect(trade).toMatchObject({ p, T, m });
    }
  });

  test.each(['9223372036854775807', '-1', '"a3-F"', 'null'])('gets its id %s back as it was', async (id) => {
    const client = await connect('/stream');
    expect(await client.ask(`{"id": ${id}, "method":"LIST_SUBSCRIPTIONS"}`)).toBe(`{"result":[],"id":${id}}`);
  });

  test('hears nothing more of a stream that it unsubscribed from', async () => {
    const client = await connect('/stream?streams=btcusdt@trade/ethusdt@trade');
    expect(await client.ask({ method: 'UNSUBSCRIBE', params: ['btcusdt@trade'], id: 312 })).toBe(
      '{"result":null,"id":312}',
    );
    await burst('BTCUSDT', 10);
    await burst('ETHUSDT');
    expect((await client.received(2))[1]).toContain('"ethusdt@trade"');
  });

  test('is acknowledged for streams that do not exist or are in upper case, and hears nothing of them', async () => {
    const client = await connect('/stream');
    const ask = client.ask(subscribe('nope@trade', 'BTCUSDT@trade', 'ethusdt@trade'));
    expect(await ask).toBe('{"result":null,"id":1}');
    await burst('BTCUSDT', 10);
    await burst('ETHUSDT');
    expect((await client.received(2))[1]).toContain('"ethusdt@trade"');
  });

  test('may use symbols of any script', async () => {
    await simulator.setSymbols({ add: [{ symbol: '币安人生USDT', baseAsset: '币安人生', quoteAsset: 'USDT' }] });
    const client = await connect(`/stream?streams=${encodeURIComponent('币安人生usdt@trade')}`);
    await burst('币安人生USDT');
    expect(JSON.parse((await client.received(1))[0] ?? '')).toMatchObject({
      stream: '币安人生usdt@trade',
      data: { s: '币安人生USDT' },
    });
  });
});

describe('a client of the raw endpoint', () => {
  test('gets the payload alone, by address or by subscription', async () => {
    const named = await connect('/ws/btcusdt@trade');
    const bare = await connect('/ws');
    await bare.ask(subscribe('btcusdt@trade'));
    await burst('BTCUSDT');
    const [frame = ''] = await named.received(1);
    expect(frame).toMatch(/^\{"e":"trade",/);
    expect((await bare.received(2))[1]).toBe(frame);
  });

  test('may turn the envelope on', async () => {
    const client = await connect('/ws/btcusdt@trade');
    expect(await client.ask({ method: 'GET_PROPERTY', params: ['combined'], id: 2 })).toBe('{"result":false,"id":2}');
    expect(await client.ask({ method: 'SET_PROPERTY', params: ['combined', true], id: 5 })).toBe(
      '{"result":null,"id":5}',
    );
    await burst('BTCUSDT');
    expect((await client.received(3))[2]).toMatch(combinedTrade);
  });
});

describe('a request that cannot be read', () => {
  const variants = 'expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`';
  test.each([
    ['{"method":"SUBSCRIBE"', 3, 'Invalid JSON: expected value at line 1 column 21', undefined],
    ['{"params":["a"],"id":1}', 2, 'Invalid request: missing field `method` at line 1 column 23', 1],
    ['{"method":"SUBSCRIB","params":[],"id":1}', 2, `unknown variant \`SUBSCRIB\`, ${variants} at line 1 column 20`, 1],
    ['{"method":"SUBSCRIBE","params":["a"]}', 2, 'Invalid request: request ID must be an unsigned integer', undefined],
    ['{"method":"LIST_SUBSCRIPTIONS","id":1.5}', 2, 'request ID must be an unsigned integer', undefined],
    ['{"method":"LIST_SUBSCRIPTIONS","params":["a"],"id":7}', 2, 'Invalid request: too many parameters', 7],
    ['{"method":"GET_PROPERTY","params":["colour"],"id":"x"}', 0, 'Unknown property', 'x'],
    ['{"method":"GET_PROPERTY","params":[1],"id":null}', 2, 'property name must be a string', null],
    ['{"method":"SET_PROPERTY","params":["combined","yes"],"id":1}', 1, 'Invalid value type: expected Boolean', 1],
  ])('%s is answered with code %i', async (message, code, text, id) => {
    const client = await connect('/ws');
    const answer = JSON.parse(await client.ask(message));
    expect(answer.error.code).toBe(code);
    expect(answer.error.msg).toContain(text);
    expect(answer.id).toBe(id);
    expect(await client.ask(subscribe('btcusdt@trade'))).toBe('{"result":null,"id":1}');
  });

  test('is answered in the form of the documentation when that is chosen', async () => {
    await simulator.setSettings({ errorForm: 'documented' });
    const client = await connect('/ws');
    expect(await client.ask('{"method":"GET_PROPERTY","params":["colour"],"id":9}')).toBe(
      '{"code":0,"msg":"Unknown property","id":9}',
    );
  });
});

describe('an address that is wrong', () => {
  test.each([
    ['/ws/%E0%A4%A', '400'],
    ['/streams', '404'],
    ['//', '404'],
  ])('%s is refused with %s, and the simulator goes on', async (path, status) => {
    await expect(connect(path)).rejects.toThrow(status);
    await connect('/stream');
  });
});

describe('the limit of streams', () => {
  test('is 1,024: one more is refused and changes nothing', async () => {
    const client = await connect('/stream');
    const names = Array.from({ length: 1024 }, (_, index) => `s${index}@trade`);
    expect(await client.ask(subscribe(...names))).toBe('{"result":null,"id":1}');
    expect(await client.ask(subscribe('one@trade'))).toBe('{"error":{"code":4,"msg":"Too many subscriptions"},"id":1}');
    expect(await client.ask(subscribe('s0@trade'))).toBe('{"result":null,"id":1}');
    const { connections } = await simulator.state();
    expect(connections[0]?.subscriptions).toHaveLength(1024);
  });
});
