// Whether it is proven that no trade of the feed is missing, from what workers say of each symbol's trade ids. Pure.
import type { ContinuityStatus, WorkerStatus } from '../api/worker-status.ts';
import type { Finding } from './errors.ts';

export interface Completeness {
  finding: Finding;
  /** Share of the trades that are written: `100%` only if none is missing; null: no worker was heard. */
  share: string | null;
  /** Open and lost; null: no worker was heard. */
  gaps: number | null;
}

interface SymbolContinuity extends ContinuityStatus {
  symbol: string;
}

/** Of workers of an older version. */
const unsaid: ContinuityStatus = {
  proven: false,
  message: 'the worker does not say',
  provable: true,
  written: 0,
  backfilled: 0,
  duplicates: 0,
  missing: 0,
  gaps: [],
};

/** Of a symbol that is on its way from one shard to another, or whose shard has no worker. */
const unheard: ContinuityStatus = { ...unsaid, message: 'no worker that writes it was heard' };

// One sentence; the worker's /status has 20 for each symbol, and its metrics have all.
const gapsNamedMax = 5;

/** @param statuses of the workers that write; where several have a symbol, each must have all of it */
export function judgeCompleteness(symbols: string[], statuses: WorkerStatus[]): Completeness {
  const reports = Map.groupBy(
    statuses.flatMap((status) => status.symbols),
    ({ symbol }) => symbol,
  );
  const known = symbols.flatMap((symbol) => {
    const own = reports.get(symbol);
    if (own === undefined) return [{ symbol, ...unheard }];
    const streamed = own.filter(({ state }) => state !== 'refused');
    return streamed.map(({ continuity = unsaid }): SymbolContinuity => ({ symbol, ...continuity }));
  });
  if (statuses.length === 0)
    return { finding: { reason: 'ProofPending', seen: 'No worker that writes was heard' }, share: null, gaps: null };
  return {
    finding: judge(known),
    share: shareOf(statuses),
    gaps: known.reduce((sum, { gaps }) => sum + gaps.length, 0),
  };
}

function judge(known: SymbolContinuity[]): Finding {
  const gapped = known.filter(({ missing, gaps }) => missing > 0 || gaps.length > 0);
  if (gapped.length > 0) return gapFinding(gapped);
  const [unprovable] = known.filter(({ provable }) => !provable);
  if (unprovable !== undefined) return { reason: 'NotProvable', seen: unprovable.message };
  const [pending, ...more] = known.filter(({ proven }) => !proven);
  if (pending !== undefined) {
    const others = more.length > 0 ? ` (and ${more.length} more symbols)` : '';
    return { reason: 'ProofPending', seen: `${pending.symbol}: ${pending.message}${others}` };
  }
  return { reason: 'NoTradeMissing', seen: `The trade ids of every symbol are without a gap: ${known.length}` };
}

function gapFinding(gapped: SymbolContinuity[]): Finding {
  const gaps = gapped.flatMap(({ symbol, gaps }) => gaps.map((gap) => ({ symbol, ...gap })));
  const lost = gaps.filter(({ state }) => state === 'lost');
  // What is lost is told first: it stays.
  const named = [...lost, ...gaps.filter(({ state }) => state === 'open')].slice(0, gapsNamedMax);
  const words = named.map(({ symbol, firstId, lastId, state, message }) => {
    const why = state === 'lost' ? ` (lost: ${message})` : '';
    return `${symbol} ${firstId} to ${lastId}${why}`;
  });
  const more = gaps.length > named.length ? `, and ${gaps.length - named.length} more` : '';
  const missing = gapped.reduce((sum, symbol) => sum + symbol.missing, 0);
  const seen = `${missing} trades of ${gapped.length} symbols are missing: ${words.join(', ')}${more}`;
  return { reason: lost.length > 0 ? 'TradesLost' : 'GapsOpen', seen };
}

function shareOf(statuses: WorkerStatus[]): string {
  const shares = statuses.flatMap(({ completeness }) => completeness ?? []);
  return shares.length === 0 ? 'unknown' : `${Math.min(...shares)}%`;
}
