import { describe, expect, test } from 'vitest';
import type { ContinuityStatus, WorkerStatus } from '../../api/worker-status.ts';
import { judgeCompleteness } from '../../controller/completeness.ts';
import { proven } from './sample-feed.ts';

type Gap = ContinuityStatus['gaps'][number];

const worker = (symbols: Record<string, ContinuityStatus>, completeness: number | null = 100): WorkerStatus => ({
  exchange: 'binance',
  streaming: true,
  message: '',
  symbols: Object.entries(symbols).map(([symbol, continuity]) => ({
    symbol,
    state: 'subscribed',
    message: '',
    lastTradeTimeMs: null,
    continuity,
  })),
  completeness,
  tradesTotal: 0,
  tradesPerSecond: 0,
});
const open = (firstId: string, lastId: string): Gap => ({ firstId, lastId, state: 'open', message: '' });
const lost = (firstId: string, lastId: string): Gap => ({ ...open(firstId, lastId), state: 'lost', message: 'gone' });
const gapped = (missing: number, ...gaps: Gap[]): ContinuityStatus => ({ ...proven, proven: false, missing, gaps });

const nothing = {
  written: 0,
  missing: 0,
  repaired: 0,
  duplicates: 0,
  gaps: 0,
  open: 0,
  sinceMs: null,
  isProvable: true,
  isWhole: true,
};

describe('a feed', () => {
  test('is complete when every symbol is proven', () => {
    expect(judgeCompleteness(['A', 'B'], [worker({ A: proven, B: { ...proven, sinceMs: 7 } })])).toEqual({
      finding: { reason: 'NoTradeMissing', seen: 'The trade ids of every symbol are without a gap: 2' },
      totals: { ...nothing, written: 20, sinceMs: 7 },
    });
  });

  test('with open gaps names them with their bounds', () => {
    const { finding, totals } = judgeCompleteness(
      ['A', 'B'],
      [worker({ A: gapped(3, open('5', '6'), open('9', '9')), B: gapped(1, open('7', '7')) }, 99.98)],
    );
    expect(finding).toEqual({
      reason: 'GapsOpen',
      seen: '4 trades of 2 symbols are missing: A 5 to 6, A 9 to 9, B 7 to 7',
    });
    expect(totals).toMatchObject({ missing: 4, gaps: 3, open: 3 });
  });

  test('with a gap that cannot be repaired names that one first, and why, and five at most', () => {
    const many = Array.from({ length: 8 }, (_, index) => open(`${index}`, `${index}`));
    const { finding } = judgeCompleteness(
      ['A', 'B'],
      [worker({ A: gapped(8, ...many), B: gapped(2, lost('3', '4')) })],
    );
    expect(finding).toEqual({
      reason: 'TradesLost',
      seen: expect.stringMatching(/: B 3 to 4 \(lost: gone\), A 0 to 0, A 1 to 1, A 2 to 2, A 3 to 3, and 4 more$/),
    });
  });

  test('of an exchange whose ids prove nothing is never called complete', () => {
    const unprovable = { ...proven, proven: false, provable: false, message: 'ids are not numbered' };
    expect(judgeCompleteness(['A'], [worker({ A: unprovable }, null)])).toEqual({
      finding: { reason: 'NotProvable', seen: 'A: ids are not numbered' },
      totals: { ...nothing, isProvable: false },
    });
  });

  test('waits for its proof while a symbol had no trade, or no worker was heard', () => {
    const quiet = { ...proven, proven: false, message: 'nothing was read yet' };
    expect(judgeCompleteness(['A', 'B', 'C'], [worker({ A: proven, B: quiet, C: quiet })]).finding).toEqual({
      reason: 'ProofPending',
      seen: 'B: nothing was read yet (and 1 more symbols)',
    });
    expect(judgeCompleteness(['A'], [])).toEqual({
      finding: { reason: 'ProofPending', seen: 'No worker that writes was heard' },
      totals: null,
    });
  });

  test('of a worker of an older version, which says nothing of it, waits for its proof', () => {
    const { symbols, completeness, ...old } = worker({ A: proven });
    const bare = symbols.map(({ continuity, ...symbol }) => symbol);
    expect(judgeCompleteness(['A'], [{ ...old, symbols: bare }])).toMatchObject({
      finding: { reason: 'ProofPending', seen: 'A: the worker does not say' },
      totals: nothing,
    });
  });

  test('is judged by its own symbols, and not by those that the exchange refuses', () => {
    const refused = worker({ A: proven, B: gapped(1, open('5', '5')), C: gapped(1, open('5', '5')) });
    for (const entry of refused.symbols) if (entry.symbol === 'B') entry.state = 'refused';
    expect(judgeCompleteness(['A', 'B'], [refused]).finding.reason).toBe('NoTradeMissing');
  });

  test('waits for its proof while a symbol is on its way from one shard to another', () => {
    const { finding, totals } = judgeCompleteness(['A', 'B'], [worker({ A: proven })]);
    expect(finding).toEqual({ reason: 'ProofPending', seen: 'B: no worker that writes it was heard' });
    expect(totals?.isWhole).toBe(false);
  });

  test('is complete over several shards when each is, and its counts are theirs together', () => {
    const two = [worker({ A: proven }), worker({ B: proven })];
    expect(judgeCompleteness(['A', 'B'], two).finding.reason).toBe('NoTradeMissing');
    const gappedTwo = [worker({ A: proven }), worker({ B: gapped(1, open('5', '5')) })];
    const { finding, totals } = judgeCompleteness(['A', 'B'], gappedTwo);
    expect([finding.reason, totals?.written, totals?.missing]).toEqual(['GapsOpen', 20, 1]);
  });

  test('has the gaps of each of its workers while an update overlaps, and the counts of the older one', () => {
    const two = [worker({ A: { ...proven, written: 3 } }), worker({ A: gapped(1, open('5', '5')) })];
    const { finding, totals } = judgeCompleteness(['A'], two);
    expect([finding.reason, totals?.written, totals?.gaps]).toEqual(['GapsOpen', 10, 1]);
  });

  test('forgets what was lost before the time from which on its topic keeps trades, and counts it all the same', () => {
    const old = { ...lost('3', '4'), timeMs: 999 };
    const judge = (...gaps: Gap[]) => judgeCompleteness(['A'], [worker({ A: gapped(gaps.length * 2, ...gaps) })], 1000);
    expect(judge(old)).toMatchObject({ finding: { reason: 'NoTradeMissing' }, totals: { missing: 2, gaps: 1 } });
    expect(judge({ ...old, timeMs: 1000 }, old).finding).toEqual({
      reason: 'TradesLost',
      seen: '2 trades of 1 symbols are missing: A 3 to 4 (lost: gone)',
    });
    expect(judge(lost('3', '4')).finding.reason).toBe('TradesLost');
    expect(judge({ ...open('5', '6'), timeMs: 1 }).finding.reason).toBe('GapsOpen');
  });
});
