import { describe, expect, test } from 'vitest';
import type { WorkerStatus } from '../../api/worker-status.ts';
import { judgeStreaming, type WorkerReport } from '../../controller/streaming.ts';
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
const report = (said: WorkerReport['status'], ready = true): WorkerReport => ({
  pod: 'binance-0-x',
  ready,
  status: said,
});
const judge = (symbols: string[], ...reports: WorkerReport[]) =>
  judgeStreaming(symbols, reports, reports.length).finding;

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
      seen: '2 of 3 symbols are not subscribed yet',
    });
  });

  test('names the symbols that are refused, also when all are', () => {
    const some = judgeStreaming(['A', 'B'], [report(status({ A: 'subscribed', B: 'refused' }))], 1);
    expect(some.finding).toEqual({ reason: 'SymbolsRefused', seen: '1 of 2 symbols are refused: B (not listed)' });
    expect(some.refused).toEqual([{ symbol: 'B', message: 'not listed' }]);
    expect(judge(['B'], report(status({ B: 'refused' }, { streaming: false }))).reason).toBe('SymbolsRefused');
  });

  test('lists at most 20 refused symbols, and names 5 in the message', () => {
    const symbols = Array.from({ length: 30 }, (_, index) => `S${index}`);
    const all = Object.fromEntries(symbols.map((symbol) => [symbol, 'refused' as const]));
    const { finding, refused } = judgeStreaming(symbols, [report(status(all))], 1);
    expect(refused).toHaveLength(20);
    expect(finding.seen).toMatch(/^30 of 30 symbols are refused: S0 .* S4 \(not listed\), and 25 more$/);
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
    expect(judgeStreaming(['A', 'B'], [report(one), report(two)], 2).live).toEqual({
      tradesPerSecond: 4,
      lastTradeTimeMs: 5_000,
    });
  });
});
