// What an audit takes for right, what it holds, and what it learns after the end. What it finds: corruptions.test.ts.
import { describe, expect, test } from 'vitest';
import { Auditor } from '../../audit/auditor.ts';
import type { NormalizedTrade } from '../../audit/compare.ts';
import { Cursors } from '../../audit/cursors.ts';
import { waitingMax } from '../../audit/pairing.ts';
import { type Reading, readings } from '../../audit/readings.ts';
import { partitionHash } from '../../worker/producer/partition.ts';
import {
  at,
  auditSet,
  binanceFrame,
  type CleanSet,
  cleanSet,
  cursor,
  metadata,
  normalizedRecord,
  normalizedTrade,
  rawRecord,
  showAll,
  startMs,
  wholeOptions,
} from './clean-set.ts';

describe('what is no fault', () => {
  const element = (id: number) =>
    Buffer.from(
      `{"id":${id},"price":"61837.63000000","qty":"0.02000000","time":${startMs + id - 1},"isBuyerMaker":true}`,
    );

  test('a trade that was back-filled later, with its element of REST as raw record', () => {
    const set = cleanSet();
    const timeMs = startMs + 900;
    const raw = { ...rawRecord(4, 'BTCUSDT', element(3), timeMs), source: 'rest-backfill' };
    const normalized = {
      ...normalizedRecord(4, normalizedTrade('BTCUSDT', 3, timeMs), timeMs),
      source: 'rest-backfill',
    };
    set.raw.splice(4, 1, raw);
    set.normalized.splice(4, 1, normalized);
    const report = auditSet(set);
    expect(report.findings).toEqual([]);
    expect(report.symbols[0]).toMatchObject({ trades: 10, backfilled: 1, missing: '0' });
  });

  test('a frame that holds trades which came before, beside one that did not', () => {
    const kraken = (id: number) =>
      `{"symbol":"BTC/USD","side":"buy","price":83344.20,"qty":0.00040000,"ord_type":"limit","trade_id":${id},` +
      `"timestamp":"2026-09-30T01:34:06.900131Z"}`;
    const frame = (...ids: number[]) =>
      Buffer.from(`{"channel":"trade","type":"snapshot","data":[${ids.map(kraken).join(',')}]}`);
    const trade = (id: number, timeMs: number): NormalizedTrade => ({
      ...normalizedTrade('BTC/USD', id, timeMs),
      exchange: 'kraken',
      canonical_symbol: 'BTC/USD',
      price: '83344.20',
      quantity: '0.00040000',
      quote_volume: '33.3376800000',
      side: 'BUY',
      exchange_timestamp: Date.parse('2026-09-30T01:34:06.900Z'),
      metadata: { ...metadata, is_buyer_maker: false },
    });
    const raw = [rawRecord(0, 'BTC/USD', frame(1, 2), startMs), rawRecord(1, 'BTC/USD', frame(1, 2, 3), startMs + 10)];
    const times = [startMs, startMs, startMs + 10];
    const normalized = times.map((timeMs, index) => normalizedRecord(index, trade(index + 1, timeMs), timeMs));
    const kind = { exchange: 'kraken', reading: readings.kraken as Reading };
    const report = auditSet({ raw, normalized, cursors: [] }, kind);
    expect(report.findings).toEqual([]);
    expect(report.totals.repeats).toBe(2);
  });

  test('a frame that nobody can read, put away as unreadable', () => {
    const set = cleanSet();
    const torn = rawRecord(20, 'BTCUSDT', binanceFrame('BTCUSDT', 99).subarray(0, 50), startMs);
    set.raw.push({ ...torn, key: null, unreadable: 'not JSON' });
    const report = auditSet(set);
    expect(report.findings).toEqual([]);
    expect(report.totals.unreadable).toBe(1);
  });

  test('no cursors at all: the feed writes none', () => {
    const report = auditSet({ ...cleanSet(), cursors: [] });
    expect(report.findings).toEqual([]);
    expect(report.symbols.map((symbol) => symbol.cursor)).toEqual(['skipped', 'skipped']);
  });

  test('records outside of the time that is asked for, on both sides', () => {
    const report = auditSet(cleanSet(), { fromMs: startMs + 30, untilMs: startMs + 60 });
    expect(report.symbols[0]).toMatchObject({ trades: 3, firstId: '3', lastId: '5', missing: '0' });
    expect(report.totals).toMatchObject({ raw: 6, normalized: 6 });
  });

  test('where the beginning is cut off: a back-filled trade from before, far from the first live one', () => {
    const set = cleanSet();
    set.cursors = [];
    // Back-filled long after its time, and what stands between was written before the beginning.
    for (const records of [set.raw, set.normalized]) records.splice(2, 8);
    const first = at(set.raw, 0);
    set.raw[0] = { ...first, value: element(1), source: 'rest-backfill' };
    set.normalized[0] = { ...at(set.normalized, 0), source: 'rest-backfill' };
    set.raw.splice(1, 1);
    set.normalized.splice(1, 1);
    const cut = { raw: [Number.NEGATIVE_INFINITY], normalized: [startMs] };
    expect(auditSet(set, { begins: cut }).findings).toEqual([]);
    expect(auditSet(set).findings).toEqual([{ kind: 'missing', text: 'BTCUSDT 2 to 5: 4 trades are missing' }]);
  });

  test('raw records without a trade, from before the partition of their own symbol begins', () => {
    const set = cleanSet();
    set.cursors = [];
    // The first five trades of both symbols are gone from the normalized topic.
    set.normalized.splice(0, 10);
    const of = (symbol: string) => partitionHash(Buffer.from(symbol)) % 2;
    expect(of('BTCUSDT')).not.toBe(of('ETHUSDT'));
    const normalized = [0, 1].map((it) => (it === of('ETHUSDT') ? startMs + 60 : Number.NEGATIVE_INFINITY));
    const report = auditSet(set, { begins: { raw: [Number.NEGATIVE_INFINITY], normalized } });
    expect(report.symbols).toMatchObject([
      { symbol: 'BTCUSDT', rawWithoutTrade: 5, before: 0, firstId: '6' },
      { symbol: 'ETHUSDT', rawWithoutTrade: 0, before: 5, firstId: '6' },
    ]);
  });

  test('a symbol of whose partition nothing is left', () => {
    const begins = { raw: [Number.NEGATIVE_INFINITY], normalized: [Number.POSITIVE_INFINITY] };
    const report = auditSet({ ...cleanSet(), normalized: [], cursors: [] }, { begins });
    expect(report.findings).toEqual([]);
    expect(report.symbols).toMatchObject([{ before: 10 }, { before: 10 }]);
  });
});

describe('after the end', () => {
  test('a half that was alone at the end finds its other half, is compared, and is not counted again', () => {
    const { raw, normalized } = cleanSet();
    const auditor = new Auditor(wholeOptions);
    showAll(auditor, { raw, normalized: normalized.slice(0, 18) });
    const none = new Cursors(null);
    auditor.end();
    expect(auditor.isSettled(none)).toBe(false);
    const [late, wrong] = [at(normalized, 18), at(normalized, 19)];
    auditor.normalized(late);
    auditor.normalized({ ...wrong, value: { ...(wrong.value as NormalizedTrade), side: 'BUY' } });
    expect(auditor.isSettled(none)).toBe(true);
    const report = auditor.report(null);
    expect(report.findings.map(({ kind }) => kind)).toEqual(['differs']);
    expect(report.symbols).toMatchObject([{ trades: 9 }, { trades: 9 }]);
  });

  test('a cursor may tell of any trade between the end and the newest', () => {
    const { raw, normalized } = cleanSet();
    const cursors = new Cursors(null);
    const judge = (lastId: number) => {
      const auditor = new Auditor(wholeOptions);
      showAll(auditor, { raw: raw.slice(0, 10), normalized: normalized.slice(0, 10) });
      auditor.end();
      showAll(auditor, { raw: raw.slice(10), normalized: normalized.slice(10) });
      for (const symbol of ['BTCUSDT', 'ETHUSDT']) cursors.take(`cursor default/binance ${symbol}`, cursor(lastId));
      return auditor.report(cursors).symbols.map((symbol) => symbol.cursor);
    };
    expect([4, 5, 8, 10, 11].map((id) => judge(id)[0])).toEqual(['differs', 'equal', 'equal', 'equal', 'differs']);
  });
});

describe('the window of trades that wait for their other half', () => {
  test('is bounded, and what falls out of it is a finding', () => {
    const auditor = new Auditor({ ...wholeOptions, toldMax: 1 });
    for (let id = 1; id <= waitingMax + 2; id++) {
      auditor.normalized(normalizedRecord(id, normalizedTrade('BTCUSDT', id, startMs), startMs));
    }
    const counts = () => auditor.report(null).counts['trade-without-raw'];
    expect(counts()).toBe(waitingMax + 2);
    expect(auditor.report(null).findings[0]?.text).toBe(
      `BTCUSDT 1 is in no raw record within ${waitingMax} trades (trades/0@1)`,
    );
  });
});

test('ids that prove nothing: gaps are no finding, a repeat is', () => {
  const value = (id: string) =>
    Buffer.from(
      `{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":${startMs},"data":[{"i":"${id}","T":${startMs},` +
        `"p":"61837.63000000","v":"0.02000000","S":"Sell","seq":5,"s":"BTCUSDT","BT":false,"RPI":false}]}`,
    );
  const trade = (id: string): NormalizedTrade => ({
    ...normalizedTrade('BTCUSDT', 1, startMs),
    exchange: 'bybit',
    trade_id: id,
    metadata: { ...metadata, sequence_number: 5 },
  });
  const ids = ['2290000001189048101', '2290000001189048999'];
  const set: CleanSet = {
    raw: ids.map((id, offset) => rawRecord(offset, 'BTCUSDT', value(id), startMs)),
    normalized: ids.map((id, offset) => normalizedRecord(offset, trade(id), startMs)),
    cursors: [],
  };
  const kind = { exchange: 'bybit', reading: readings.bybit as Reading };
  const report = auditSet(set, kind);
  expect(report.findings).toEqual([]);
  expect(report.symbols).toMatchObject([{ missing: null, firstId: ids[0], lastId: ids[1], cursor: 'skipped' }]);
  set.normalized.push({ ...at(set.normalized, 0), offset: 2 });
  expect(auditSet(set, kind).counts).toEqual({ doubled: 1 });
});
