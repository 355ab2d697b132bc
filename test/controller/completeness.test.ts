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

describe('a feed', () => {
  test('is complete when every symbol is proven', () => {
    expect(judgeCompleteness(['A', 'B'], [worker({ A: proven, B: proven })])).toEqual({
      finding: { reason: 'NoTradeMissing', seen: 'The trade ids of every symbol are without a gap: 2' },
      share: '100%',
      gaps: 0,
    });
  });

  test('with open gaps names them with their bounds', () => {
    const { finding, share, gaps } = judgeCompleteness(
      ['A', 'B'],
      [worker({ A: gapped(3, open('5', '6'), open('9', '9')), B: gapped(1, open('7', '7')) }, 99.98)],
    );
    expect(finding).toEqual({
      reason: 'GapsOpen',
      seen: '4 trades of 2 symbols are missing: A 5 to 6, A 9 to 9, B 7 to 7',
    });
    expect([share, gaps]).toEqual(['99.98%', 3]);
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
      finding: { reason: 'NotProvable', seen: 'ids are not numbered' },
      share: 'unknown',
      gaps: 0,
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
      share: null,
      gaps: null,
    });
  });

  test('of a worker of an older version, which says nothing of it, waits for its proof', () => {
    const { symbols, completeness, ...old } = worker({ A: proven });
    const bare = symbols.map(({ continuity, ...symbol }) => symbol);
    expect(judgeCompleteness(['A'], [{ ...old, symbols: bare }])).toMatchObject({
      finding: { reason: 'ProofPending', seen: 'A: the worker does not say' },
      share: 'unknown',
    });
  });

  test('is judged by its own symbols, and not by those that the exchange refuses', () => {
    const refused = worker({ A: proven, B: gapped(1, open('5', '5')), C: gapped(1, open('5', '5')) });
    for (const entry of refused.symbols) if (entry.symbol === 'B') entry.state = 'refused';
    expect(judgeCompleteness(['A', 'B'], [refused]).finding.reason).toBe('NoTradeMissing');
  });

  test('waits for its proof while a symbol is on its way from one shard to another', () => {
    expect(judgeCompleteness(['A', 'B'], [worker({ A: proven })]).finding).toEqual({
      reason: 'ProofPending',
      seen: 'B: no worker that writes it was heard',
    });
  });

  test('is complete over several shards when each is, and as incomplete as the least complete', () => {
    const two = [worker({ A: proven }), worker({ B: proven })];
    expect(judgeCompleteness(['A', 'B'], two)).toMatchObject({ finding: { reason: 'NoTradeMissing' }, share: '100%' });
    const gapped2 = [worker({ A: proven }), worker({ B: gapped(1, open('5', '5')) }, 99.5)];
    expect(judgeCompleteness(['A', 'B'], gapped2)).toMatchObject({ finding: { reason: 'GapsOpen' }, share: '99.5%' });
  });

  test('has the gaps of each of its workers while an update overlaps', () => {
    const two = [worker({ A: proven }), worker({ A: gapped(1, open('5', '5')) }, 90)];
    expect(judgeCompleteness(['A'], two)).toMatchObject({ finding: { reason: 'GapsOpen' }, share: '90%', gaps: 1 });
  });
});
