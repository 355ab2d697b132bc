import { describe, expect, test } from 'vitest';
import { continuityStatus } from '../../worker/completeness.ts';
import { binance } from '../../worker/exchanges/binance.ts';
import type { Exchange, Listing } from '../../worker/exchanges/exchange.ts';
import { gapGraceMs, Symbols, tailGraceMs } from '../../worker/symbols.ts';
import type { Trade } from '../../worker/trade.ts';

const btc: Listing = { symbol: 'BTCUSDT', canonicalSymbol: 'BTC/USDT' };
const why = 'its ids are no sequence';
const unprovable: Exchange = { ...binance, continuity: { kind: 'none', why } };

const trade = (id: number | string, symbol = 'BTCUSDT'): Trade => ({
  symbol,
  tradeId: String(id),
  price: '1.5',
  quantity: '2',
  side: 'BUY',
  exchangeTimeMs: 1_700_000_000_000 + Number(id),
  sequenceNumber: null,
  isBuyerMaker: null,
  buyerOrderId: null,
  sellerOrderId: null,
});
const page = (...ids: number[]) => ids.map((id) => ({ trade: trade(id), text: `{"id":${id}}` }));

function create(exchange: Exchange = binance, ...listings: Listing[]) {
  const symbols = new Symbols(exchange);
  for (const listing of listings.length > 0 ? listings : [btc]) symbols.learn(listing, undefined, 0);
  const admit = (...ids: (number | string)[]) => {
    const admitted = symbols.admit(
      ids.map((id) => trade(id)),
      0,
    );
    return typeof admitted === 'string' ? admitted : admitted.map(({ trade: { tradeId } }) => tradeId);
  };
  const jobAt = (nowMs: number) => {
    const job = symbols.job(nowMs);
    if (job === null) throw new Error('there is no job');
    return job;
  };
  const status = () => continuityStatus(symbols.entries()[0], exchange.continuity);
  return { symbols, admit, jobAt, status };
}

describe('of a frame are written', () => {
  test('its trades by id, whatever their order in it, without those that were written', () => {
    const { admit } = create();
    expect(admit(3, 1, 2)).toEqual(['1', '2', '3']);
    expect(admit(2, 5, 4, 3)).toEqual(['4', '5']);
    expect(admit(5)).toEqual([]);
  });

  test('none, and a reason instead, when a symbol was not asked for or an id cannot be compared', () => {
    const { symbols, admit } = create();
    expect(symbols.admit([trade(1), trade(2, 'SOLUSDT')], 0)).toBe('trade of SOLUSDT, which was not asked for');
    expect(admit(1, 'x2')).toBe("trade's id 'x2' is not a number");
    expect(admit(1)).toEqual(['1']);
  });

  test('its trades in its own order where ids prove nothing, and duplicates are still known', () => {
    const { admit, status } = create(unprovable);
    expect(admit('b', 'a')).toEqual(['b', 'a']);
    expect(admit('a', 'c')).toEqual(['c']);
    expect(status()).toMatchObject({ proven: false, provable: false, message: why, duplicates: 1 });
  });

  test('its trades under the name that was asked for where the exchange streams another', () => {
    const { symbols } = create(binance, { symbol: 'BTC-USDC', canonicalSymbol: 'BTC/USDC', streamedAs: 'BTC-USD' });
    const admitted = symbols.admit([trade(1, 'BTC-USD')], 0);
    expect(admitted).toMatchObject([{ trade: { symbol: 'BTC-USDC' }, canonicalSymbol: 'BTC/USDC' }]);
    expect(symbols.learn({ symbol: 'BTC-USD', canonicalSymbol: 'BTC/USD' }, undefined, 0)).toBe(
      'BTC-USD is streamed as BTC-USD, and so is BTC-USDC: ask for one of them',
    );
  });
});

describe('a gap', () => {
  test('is asked for after its grace, with its neighbours, page by page, and closed by them', () => {
    const { symbols, admit, jobAt, status } = create();
    admit(1, 10);
    expect(symbols.job(gapGraceMs - 1)).toBeNull();
    const job = jobAt(gapGraceMs);
    expect(job.range).toEqual({ listing: btc, firstId: 1n, lastId: 10n, afterTimeMs: 1_700_000_000_001 });
    expect(status()).toMatchObject({ proven: false, message: 'gaps that are being repaired: 1', missing: 8 });
    const ids = symbols.fill(job, page(3, 2, 1, 4), 0).map(({ trade: { tradeId } }) => tradeId);
    expect(ids).toEqual(['2', '3', '4']);
    expect(jobAt(gapGraceMs).range).toMatchObject({ firstId: 4n, lastId: 10n, afterTimeMs: 1_700_000_000_004 });
    symbols.fill(jobAt(gapGraceMs), page(4, 5, 6, 8, 9, 10, 11), 0);
    expect(symbols.job(gapGraceMs)).toBeNull();
    expect(status()).toMatchObject({ proven: true, missing: 0, backfilled: 7, written: 9, gaps: [] });
  });

  test('whose trades history does not have is lost after some tries, and listed with its bounds', () => {
    const { symbols, admit, jobAt, status } = create();
    admit(1, 10);
    let nowMs = gapGraceMs;
    let tries = 0;
    for (; symbols.entries()[0]?.continuity?.gaps().length; nowMs += 60_000, tries++) {
      symbols.fill(jobAt(nowMs), page(20, 21), nowMs);
    }
    expect(tries).toBe(6);
    expect(status()).toMatchObject({
      proven: false,
      message: 'gaps that could not be repaired: 1',
      missing: 8,
      gaps: [
        { firstId: '2', lastId: '9', state: 'lost', message: "the exchange's history does not have these trades" },
      ],
    });
  });

  test('that cannot be asked for is tried for a day, less and less often, then lost with the reason', () => {
    const { symbols, admit, jobAt, status } = create();
    admit(1, 10);
    let tries = 0;
    for (let nowMs = 0; symbols.entries()[0]?.continuity?.gaps().length; nowMs += 1000) {
      if (symbols.job(nowMs) === null) continue;
      symbols.fail(jobAt(nowMs), 'status 503: maintenance', nowMs, 0);
      tries++;
    }
    expect(tries).toBeLessThan(3000);
    expect(status().gaps[0]?.message).toBe('not to be had for 24 h: status 503: maintenance');
  });
});

describe('after an interruption', () => {
  test('the next trade tells whether something is missing', () => {
    const { symbols, admit, status } = create();
    admit(1);
    symbols.interrupt(['BTCUSDT']);
    expect(status().message).toMatch(/^reading was interrupted/);
    admit(2);
    expect(status().proven).toBe(true);
  });

  test('without one, REST is asked for what came since, once the symbol is subscribed again', () => {
    const { symbols, admit, jobAt, status } = create();
    admit(1);
    symbols.interrupt(['BTCUSDT']);
    expect(symbols.job(1e9)).toBeNull();
    symbols.resume(['BTCUSDT'], 1000);
    expect(symbols.job(999 + tailGraceMs)).toBeNull();
    const job = jobAt(1000 + tailGraceMs);
    expect(job.range).toMatchObject({ firstId: 1n, lastId: null });
    expect(symbols.fill(job, page(1, 2, 3), 0).length).toBe(2);
    symbols.fill(jobAt(1000 + tailGraceMs), page(3), 0);
    expect(status().proven).toBe(true);
    expect(symbols.job(1e9)).toBeNull();
  });

  test('of the worker, too: it goes on where the cursor is', () => {
    const symbols = new Symbols(binance);
    symbols.learn(btc, { lastId: 5n, timeMs: 1_700_000_000_005, gaps: [], lost: [], resetTimeMs: null }, 0);
    expect(symbols.admit([trade(5), trade(6)], 0)).toMatchObject([{ trade: { tradeId: '6' } }]);
  });
});

test('cursors are given of symbols that moved since they were last asked for, and of no others', () => {
  const eth = { symbol: 'ETHUSDT', canonicalSymbol: 'ETH/USDT' };
  const { symbols, admit } = create(binance, btc, eth);
  const moved = () => symbols.changedCursors().map(({ symbol, cursor }) => [symbol, cursor.lastId]);
  expect(moved()).toEqual([]);
  admit(1, 2);
  expect(moved()).toEqual([['BTCUSDT', 2n]]);
  admit(2);
  expect(moved()).toEqual([]);
  symbols.admit([trade(3), trade(7, 'ETHUSDT')], 0);
  expect(moved()).toEqual([
    ['BTCUSDT', 3n],
    ['ETHUSDT', 7n],
  ]);
  expect(create(unprovable).symbols.changedCursors()).toEqual([]);
});

describe('a symbol that falls silent', () => {
  const minuteMs = 60_000;
  /** A trade a second, the last one at 0. */
  function streaming() {
    const { symbols, jobAt, status } = create();
    for (let id = 1; id <= 60; id++) symbols.admit([trade(id)], (id - 60) * 1000);
    const ask = (nowMs: number, ...ids: number[]) =>
      symbols.fill(jobAt(nowMs), page(...ids), nowMs).map(({ trade: { tradeId } }) => tradeId);
    return { symbols, ask, status };
  }

  test('is asked of REST, and is quiet if there was no trade', () => {
    const { symbols, ask, status } = streaming();
    expect(symbols.job(2 * minuteMs)).toBeNull();
    expect(ask(2 * minuteMs + 1, 60)).toEqual([]);
    expect(status()).toMatchObject({ silent: false, proven: true });
    expect(symbols.job(4 * minuteMs)).toBeNull();
  });

  test('is silent if there were trades, which are written, until the stream brings one', () => {
    const { symbols, ask, status } = streaming();
    expect(ask(2 * minuteMs + 1, 60, 61, 62)).toEqual(['61', '62']);
    expect(status()).toMatchObject({ silent: true, proven: true, written: 62, backfilled: 2 });
    symbols.admit([trade(63)], 3 * minuteMs);
    expect(status()).toMatchObject({ silent: false, written: 63 });
  });

  test('is asked for again later when REST could not be asked', () => {
    const { symbols, status } = streaming();
    const job = symbols.job(3 * minuteMs);
    if (job) symbols.fail(job, 'timeout', 3 * minuteMs, 0);
    expect(status().proven).toBe(true);
    expect(symbols.job(6 * minuteMs)).toBeNull();
    expect(symbols.job(6 * minuteMs + 1)).not.toBeNull();
  });
});

test('counts go on with those of the worker before, where the cursor has them', () => {
  const counts = { written: 1000, repaired: 7, duplicates: 3, sinceMs: 1_600_000_000_000 };
  const cursor = { lastId: 5n, timeMs: 1_700_000_000_005, gaps: [], lost: [], resetTimeMs: null };
  const statusAfter = (past: typeof cursor & { counts?: typeof counts }) => {
    const symbols = new Symbols(binance);
    symbols.learn(btc, past, 0);
    symbols.admit([trade(5), trade(6)], 0);
    return continuityStatus(symbols.entries()[0], binance.continuity);
  };
  expect(statusAfter({ ...cursor, counts })).toMatchObject({
    written: 1001,
    backfilled: 7,
    duplicates: 4,
    sinceMs: 1_600_000_000_000,
  });
  expect(statusAfter(cursor)).toMatchObject({ written: 1, backfilled: 0, duplicates: 1, sinceMs: 1_700_000_000_006 });
});
