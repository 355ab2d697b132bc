// Whether it is proven that no trade of the feed is missing, from what workers say of each symbol's trade ids. Pure.
import type { ContinuityStatus, WorkerStatus } from '../api/worker-status.ts';
import type { Finding } from './errors.ts';

export interface Completeness {
  finding: Finding;
  /** Null: no worker was heard. */
  totals: Totals | null;
}

/** Over all symbols, since the feed's first trade where the cursor topic keeps the counts. */
export interface Totals {
  /** Of symbols whose ids prove something: trades that are written, and that are missing. */
  written: number;
  missing: number;
  repaired: number;
  duplicates: number;
  /** Open and lost, at most 20 of each symbol. */
  gaps: number;
  /** Of those gaps: still being asked for. */
  open: number;
  /** Exchange time of the first trade that was counted, milliseconds since 1970; null: none was. */
  sinceMs: number | null;
  /** False: no id proves anything, so `written` and `missing` mean nothing. */
  isProvable: boolean;
  /** Every symbol was heard: one that moves between shards is missing for a moment. */
  isWhole: boolean;
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

/**
 * @param statuses of the workers that write; where several have a symbol, each must have all of it
 * @param keptSinceMs from when on the normalized topic keeps trades, milliseconds since 1970: what was lost before that
 *   would not be there any more in any case
 */
export function judgeCompleteness(
  symbols: string[],
  statuses: WorkerStatus[],
  keptSinceMs = Number.NEGATIVE_INFINITY,
): Completeness {
  if (statuses.length === 0) {
    return { finding: { reason: 'ProofPending', seen: 'No worker that writes was heard' }, totals: null };
  }
  const reports = Map.groupBy(
    statuses.flatMap((status) => status.symbols),
    ({ symbol }) => symbol,
  );
  const known = symbols.map((symbol): SymbolContinuity[] => {
    const own = reports.get(symbol);
    if (own === undefined) return [{ symbol, ...unheard }];
    const streamed = own.filter(({ state }) => state !== 'refused');
    return streamed.map(({ continuity = unsaid }) => ({ symbol, ...continuity }));
  });
  const isWhole = symbols.every((symbol) => reports.has(symbol));
  return { finding: judge(known.flat(), keptSinceMs), totals: { ...totalsOf(known), isWhole } };
}

function judge(known: SymbolContinuity[], keptSinceMs: number): Finding {
  const gapped = known
    .map((it) => withoutExpired(it, keptSinceMs))
    .filter((it) => it.missing > 0 || it.gaps.length > 0);
  if (gapped.length > 0) return gapFinding(gapped);
  const [unprovable] = known.filter(({ provable }) => !provable);
  if (unprovable !== undefined) {
    return { reason: 'NotProvable', seen: `${unprovable.symbol}: ${unprovable.message}` };
  }
  const [pending, ...more] = known.filter((it) => !isProven(it, keptSinceMs));
  if (pending !== undefined) {
    const others = more.length > 0 ? ` (and ${more.length} more symbols)` : '';
    return { reason: 'ProofPending', seen: `${pending.symbol}: ${pending.message}${others}` };
  }
  return { reason: 'NoTradeMissing', seen: `The trade ids of every symbol are without a gap: ${known.length}` };
}

type Gap = ContinuityStatus['gaps'][number];

const isExpired = ({ state, timeMs }: Gap, keptSinceMs: number): boolean =>
  state === 'lost' && timeMs !== undefined && timeMs < keptSinceMs;

const tradesOf = ({ firstId, lastId }: Gap): number => Number(BigInt(lastId) - BigInt(firstId) + 1n);

function withoutExpired(symbol: SymbolContinuity, keptSinceMs: number): SymbolContinuity {
  const gaps = symbol.gaps.filter((gap) => !isExpired(gap, keptSinceMs));
  if (gaps.length === symbol.gaps.length) return symbol;
  // Lost ones are told newest first: when one has expired, so have all that are not told, and the rest is told in full.
  return { ...symbol, gaps, missing: gaps.reduce((sum, gap) => sum + tradesOf(gap), 0) };
}

/** A worker does not take a symbol for proven that has lost something, however long ago. */
function isProven(symbol: SymbolContinuity, keptSinceMs: number): boolean {
  return symbol.proven || symbol.gaps.some((gap) => isExpired(gap, keptSinceMs));
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

/** Of several workers that have a symbol, the one that has counted most of it. */
function totalsOf(known: SymbolContinuity[][]): Omit<Totals, 'isWhole'> {
  const counted = known.flatMap((own) => own.toSorted((a, b) => b.written - a.written).slice(0, 1));
  const provable = counted.filter((it) => it.provable);
  const sum = (from: SymbolContinuity[], count: (one: SymbolContinuity) => number) =>
    from.reduce((total, one) => total + count(one), 0);
  const since = provable.flatMap(({ sinceMs }) => sinceMs ?? []);
  return {
    written: sum(provable, ({ written }) => written),
    missing: sum(provable, ({ missing }) => missing),
    repaired: sum(counted, ({ backfilled }) => backfilled),
    duplicates: sum(counted, ({ duplicates }) => duplicates),
    gaps: sum(counted, ({ gaps }) => gaps.length),
    open: sum(counted, ({ gaps }) => gaps.filter(({ state }) => state === 'open').length),
    sinceMs: since.length === 0 ? null : since.reduce((least, one) => Math.min(least, one)),
    isProvable: provable.length > 0,
  };
}
