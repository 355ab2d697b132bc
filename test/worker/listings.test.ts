import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RetryLaterError } from '../../worker/errors.ts';
import { binance } from '../../worker/exchanges/binance.ts';
import { askListings, type Round, watchListings } from '../../worker/listings.ts';
import { type LoopbackExchange, startLoopbackExchange } from './loopback-exchange.ts';

let exchange: LoopbackExchange;
let stop: AbortController;

beforeEach(async () => {
  exchange = await startLoopbackExchange();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await exchange.close();
});

const ask = (symbols: string[]) => askListings(binance.listing, exchange.restUrl, symbols, stop.signal);

describe('asking for symbols', () => {
  test('gives the canonical symbol from the assets, which the symbol alone does not tell', async () => {
    exchange.symbols = new Map([['ABCDE', ['AB', 'CDE']]]);
    expect(await ask(['ABCDE'])).toEqual({
      listed: [{ symbol: 'ABCDE', canonicalSymbol: 'AB/CDE' }],
      unlisted: [],
    });
  });

  test('finds the unknown ones although the exchange does not say which they are', async () => {
    const known = Array.from({ length: 250 }, (_, index) => `S${index}USDT`);
    exchange.symbols = new Map(known.map((symbol) => [symbol, [symbol.replace('USDT', ''), 'USDT']]));
    const { listed, unlisted } = await ask([...known.slice(0, 120), 'BTCUSDX', ...known.slice(120), 'NOPE']);
    expect(unlisted.sort()).toEqual(['BTCUSDX', 'NOPE']);
    expect(listed.map(({ symbol }) => symbol).sort()).toEqual([...known].sort());
    expect(exchange.listingRequests).toBeLessThan(35);
  });

  test('stops at a number of requests that the exchange allows', async () => {
    const unknown = Array.from({ length: 500 }, (_, index) => `NO${index}`);
    const { unlisted } = await ask(unknown);
    expect(exchange.listingRequests).toBe(100);
    expect(unlisted.length).toBeLessThan(500);
  });

  test('says how the exchange failed', async () => {
    exchange.listingFaults = [{ status: 503, body: 'maintenance' }];
    await expect(ask(['BTCUSDT'])).rejects.toThrow('status 503, not JSON: maintenance');
  });

  test('obeys the exchange when it says when to come back', async () => {
    exchange.listingFaults = [{ status: 429, body: 'slow down', headers: { 'retry-after': '7' } }];
    const error = await ask(['BTCUSDT']).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RetryLaterError);
    expect(error).toMatchObject({ message: 'status 429: slow down', retryAfterMs: 7000 });
  });

  test('gives up on an answer without an end', async () => {
    exchange.listingFaults = [{ status: 200, body: ' '.repeat(33 * 1024 * 1024) }];
    await expect(ask(['BTCUSDT'])).rejects.toThrow('answer is longer than 33554432 bytes');
  });
});

describe('watching listings', () => {
  const watch = (symbols: string[]) =>
    watchListings({ listing: binance.listing, restUrl: exchange.restUrl, symbols, random: () => 0 }, stop.signal);

  test('ends when every symbol is listed', async () => {
    const rounds: Round[] = [];
    for await (const round of watch(['BTCUSDT', 'ETHUSDT'])) rounds.push(round);
    expect(rounds.length).toBe(1);
    expect(rounds[0]).toMatchObject({ unlisted: [], problem: null });
  });

  test('tells a failure and asks again', async () => {
    exchange.listingFaults = [{ status: 500, body: '{}' }];
    const rounds: Round[] = [];
    for await (const round of watch(['BTCUSDT'])) rounds.push(round);
    expect(rounds.map(({ problem }) => problem)).toEqual([
      `cannot list symbols at ${exchange.restUrl}: status 500: {}`,
      null,
    ]);
    expect(rounds[1]?.listed.map(({ symbol }) => symbol)).toEqual(['BTCUSDT']);
  });

  test('tells unlisted symbols and stops at once when aborted, although it would ask again later', async () => {
    const rounds: Round[] = [];
    for await (const round of watch(['BTCUSDT', 'NOPE'])) {
      rounds.push(round);
      stop.abort();
    }
    expect(rounds).toMatchObject([{ listed: [{ symbol: 'BTCUSDT' }], unlisted: ['NOPE'] }]);
  });
});
