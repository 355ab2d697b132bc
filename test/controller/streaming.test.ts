import { describe, expect, test } from 'vitest';
import type { WorkerStatus } from '../../api/worker-status.ts';
import {
  hear,
  judgeStreaming,
  ownerlessShards,
  type StreamingQuestion,
  type WorkerReport,
} from '../../controller/streaming.ts';
import { proven } from './sample-feed.ts';

type State = WorkerStatus['symbols'][number]['state'];
const status = (states: Record<string, State>, more: Partial<WorkerStatus> = {}): WorkerStatus => ({
  exchange: 'binance',
  streaming: true,
  message: '',
  symbols: Object.entries(states).map(([symbol, state]) => ({
    symbol,
    state,
    message: state === 'refused' ? 'not listed' : '',
    lastTradeTimeMs: null,
    continuity: proven,
  })),
  completeness: 100,
  tradesTotal: 0,
  tradesPerSecond: 0,
  ...more,
});
const report = (said: WorkerReport['status'], ready = true, shard = 0): WorkerReport => ({
  pod: `binance-${shard}-x`,
  shard,
  ready,
  status: said,
});
const streamingOf = (symbols: string[], reports: WorkerReport[], more: Partial<StreamingQuestion> = {}) =>
  judgeStreaming({
    symbols,
    shards: 1,
    reports: hear(reports),
    ownerless: [],
    wasReady: true,
    podCount: reports.length,
    ...more,
  });
const judge = (symbols: string[], ...reports: WorkerReport[]) => streamingOf(symbols, reports).finding;

describe('a feed', () => {
  test('streams when every symbol is subscribed', () => {
    expect(judge(['A', 'B'], report(status({ A: 'subscribed', B: 'subscribed' }))).reason).toBe('AllSymbolsStreaming');
  });

  test('without a worker that can be asked has none', () => {
    expect(judge(['A']).reason).toBe('NoWorker');
    expect(judge(['A'], report(new Error('connect ECONNREFUSED'), false)).reason).toBe('NoWorker');
  });

  test('whose ready worker cannot be asked is unknown, in the words of the network', () => {
    expect(judge(['A'], report(new Error('connect ECONNREFUSED 10.0.0.1:8080')))).toEqual({
      reason: 'WorkerUnreachable',
      seen: 'Cannot read the status of worker binance-0-x: connect ECONNREFUSED 10.0.0.1:8080',
    });
  });

  test('that does not stream says so in the words of the worker', () => {
    const away = status({ A: 'pending' }, { streaming: false, message: 'disconnected for 12 s' });
    expect(judge(['A'], report(away, false))).toEqual({ reason: 'NotStreaming', seen: 'disconnected for 12 s' });
  });

  test('waits for symbols that are not acknowledged, or that an older worker does not know', () => {
    const half = report(status({ A: 'subscribed', B: 'pending' }));
    expect(judge(['A', 'B', 'C'], half)).toEqual({
      reason: 'SymbolsPending',
      seen: '2 of 3 symbols are not subscribed yet: B, C',
    });
  });

  test('names the symbols that are refused, also when all are', () => {
    const some = streamingOf(['A', 'B'], [report(status({ A: 'subscribed', B: 'refused' }))]);
    expect(some.finding).toEqual({ reason: 'SymbolsRefused', seen: '1 of 2 symbols are refused: B (not listed)' });
    expect(some.refused).toEqual([{ symbol: 'B', message: 'not listed' }]);
    expect(judge(['B'], report(status({ B: 'refused' }, { streaming: false }))).reason).toBe('SymbolsRefused');
  });

  test('lists at most 20 refused symbols, and names 5 in the message', () => {
    const symbols = Array.from({ length: 30 }, (_, index) => `S${index}`);
    const all = Object.fromEntries(symbols.map((symbol) => [symbol, 'refused' as const]));
    const { finding, refused } = streamingOf(symbols, [report(status(all))]);
    expect(refused).toHaveLength(20);
    expect(finding.seen).toMatch(/^30 of 30 symbols are refused: S0 .* S4 \(not listed\), and 25 more$/);
  });

  test('names the symbols of which REST has trades and the stream brings none', () => {
    const said = status({ A: 'subscribed', B: 'subscribed' });
    const symbols = said.symbols.map((it) => ({ ...it, continuity: { ...proven, silent: it.symbol === 'B' } }));
    expect(judge(['A', 'B'], report({ ...said, symbols }))).toEqual({
      reason: 'SymbolsSilent',
      seen: '1 of 2 symbols are silent while they trade: B',
    });
  });

  test('streams during an update while one of two workers has a symbol', () => {
    const old = report(status({ A: 'subscribed' }));
    expect(judge(['A'], old, report(status({ A: 'pending' }))).reason).toBe('AllSymbolsStreaming');
    expect(judge(['A'], old, report(status({}, { streaming: false }), false)).reason).toBe('AllSymbolsStreaming');
  });

  test('sums the rates, and takes the newest trade', () => {
    const one = status({ A: 'subscribed' }, { tradesPerSecond: 1.4 });
    const two = status({ B: 'subscribed' }, { tradesPerSecond: 2.2 });
    const [symbol] = two.symbols;
    if (symbol) symbol.lastTradeTimeMs = 5_000;
    expect(streamingOf(['A', 'B'], [report(one), report(two)]).live).toEqual({
      tradesPerSecond: 4,
      lastTradeTimeMs: 5_000,
    });
  });
});

const standby = (states: Record<string, State>, ready = true, shard = 0, message = 'standby: pod-y owns shard 0') =>
  report(status(states, { role: 'standby', streaming: false, message, tradesPerSecond: 7 }), ready, shard);
const owner = (states: Record<string, State>, shard = 0, more: Partial<WorkerStatus> = {}) =>
  report(status(states, { role: 'owner', tradesPerSecond: 100, ...more }), true, shard);

describe('a shard with a standby', () => {
  test('streams as its owner does, and counts its trades once', () => {
    const { finding, live } = streamingOf(['A'], [owner({ A: 'subscribed' }), standby({ A: 'subscribed' })]);
    expect(finding.reason).toBe('AllSymbolsStreaming');
    expect(live?.tradesPerSecond).toBe(100);
  });

  test('does not stream when its owner does not, whatever its standby says', () => {
    const away = owner({ A: 'pending' }, 0, { streaming: false, message: 'disconnected for 12 s' });
    expect(judge(['A'], away, standby({ A: 'subscribed' })).seen).toBe('disconnected for 12 s');
  });

  test('is unknown when its owner cannot be asked, whatever its standby says', () => {
    expect(judge(['A'], report(new Error('connect ETIMEDOUT')), standby({ A: 'subscribed' }))).toEqual({
      reason: 'WorkerUnreachable',
      seen: 'Cannot read the status of worker binance-0-x: connect ETIMEDOUT',
    });
  });

  test('streams through a hand-over in a feed that is Ready', () => {
    expect(judge(['A'], standby({ A: 'subscribed' })).reason).toBe('AllSymbolsStreaming');
  });

  test('does not stream yet in a feed that is not Ready while nobody writes', () => {
    expect(streamingOf(['A'], [standby({ A: 'subscribed' })], { wasReady: false }).finding).toEqual({
      reason: 'SymbolsPending',
      seen: 'Nobody writes the symbols of shard 0: binance-0-x says "standby: pod-y owns shard 0"',
    });
  });

  test('that nobody has written for long does not stream, and says what its standby waits for', () => {
    expect(streamingOf(['A'], [standby({ A: 'subscribed' })], { ownerless: [0] }).finding).toEqual({
      reason: 'NoOwner',
      seen: 'Nobody writes the symbols of shard 0: binance-0-x says "standby: pod-y owns shard 0"',
    });
  });

  test('that a broker without transactions keeps from writing says so in the words of the worker', () => {
    const refusal = 'cannot take over: broker old:9092 does not support transactions; set delivery: AtLeastOnce';
    expect(judge(['A'], standby({ A: 'subscribed' }, false, 0, refusal))).toEqual({
      reason: 'NotStreaming',
      seen: refusal,
    });
  });

  test('is without an owner only if its workers are ready and none can be one unheard', () => {
    const shardsOf = (...reports: WorkerReport[]) => ownerlessShards(hear(reports), 2);
    expect(shardsOf(standby({ A: 'subscribed' }), owner({ B: 'subscribed' }, 1))).toEqual([0]);
    expect(shardsOf(standby({ A: 'subscribed' }, false))).toEqual([]);
    expect(shardsOf(standby({ A: 'subscribed' }), report(new Error('timeout')))).toEqual([]);
    expect(shardsOf(standby({ A: 'subscribed' }, true, 2))).toEqual([]);
  });
});

describe('a feed of several shards', () => {
  const both = [owner({ A: 'subscribed' }, 0), owner({ B: 'subscribed' }, 1)];

  test('streams when every shard does, and sums their trades', () => {
    const { finding, live } = streamingOf(['A', 'B'], both, { shards: 2 });
    expect(finding).toEqual({ reason: 'AllSymbolsStreaming', seen: 'All symbols are subscribed: 2' });
    expect(live?.tradesPerSecond).toBe(200);
  });

  test('names the shard that does not stream', () => {
    const away = report(
      status({ B: 'pending' }, { role: 'owner', streaming: false, message: 'disconnected' }),
      false,
      1,
    );
    expect(streamingOf(['A', 'B'], [owner({ A: 'subscribed' }), away], { shards: 2 }).finding).toEqual({
      reason: 'NotStreaming',
      seen: 'Shard 1: disconnected',
    });
  });

  test('names the shard of which no worker runs, if its symbols stream nowhere else', () => {
    const one = [owner({ A: 'subscribed' })];
    expect(streamingOf(['A', 'B'], one, { shards: 2 }).finding).toEqual({
      reason: 'NoWorker',
      seen: 'No worker of shard 1 runs yet',
    });
    const before = [owner({ A: 'subscribed', B: 'subscribed' })];
    expect(streamingOf(['A', 'B'], before, { shards: 2 }).finding.reason).toBe('AllSymbolsStreaming');
  });

  test('does not mind that a shard on its way out does not stream any more', () => {
    const leaving = owner({ C: 'pending' }, 2, { streaming: false, message: 'drains' });
    expect(streamingOf(['A', 'B'], [...both, leaving], { shards: 2 }).finding.reason).toBe('AllSymbolsStreaming');
  });
});
