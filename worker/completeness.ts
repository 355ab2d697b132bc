// What continuity comes to in words and figures, for /status and the metrics.
import type { ContinuityStatus } from '../api/worker-status.ts';
import type { Continuity as Ids } from './continuity.ts';
import type { Continuity } from './exchanges/exchange.ts';
import type { SymbolEntry } from './symbols.ts';

/** Gaps told one by one, of one symbol; their trades all count. */
const gapsToldMax = 20;

/** @param entry undefined: the symbol is not listed yet */
export function continuityStatus(entry: SymbolEntry | undefined, exchange: Continuity): ContinuityStatus {
  const ids = entry?.continuity ?? null;
  const provable = exchange.kind !== 'none';
  const duplicates = ids?.duplicates ?? entry?.recentIds.duplicates ?? 0;
  if (ids === null || entry === undefined) {
    const message = exchange.kind === 'none' ? exchange.why : 'nothing was read yet';
    const nothing = { written: 0, backfilled: 0, missing: 0, sinceMs: null, gaps: [] };
    return { proven: false, message, provable, duplicates, ...nothing };
  }
  const message = doubt(entry, ids);
  const open = ids.gaps().map((gap) => {
    return { ...textOf(gap), state: 'open' as const, message: '', timeMs: gap.afterTimeMs };
  });
  const lost = ids.lost().map((gap) => {
    return { ...textOf(gap), state: 'lost' as const, message: gap.why, ...(gap.timeMs && { timeMs: gap.timeMs }) };
  });
  return {
    proven: message === '',
    message,
    provable,
    written: ids.written,
    backfilled: ids.repaired,
    duplicates,
    missing: missingOf(ids),
    sinceMs: ids.sinceMs,
    silent: entry.isSilent,
    // The newest are told first: what was lost long ago matters least.
    gaps: [...lost.reverse(), ...open].slice(0, gapsToldMax),
  };
}

/** Trades in gaps, open and lost. */
export function missingOf(ids: Ids): number {
  const open = ids.gaps().reduce((sum, { firstId, lastId }) => sum + lastId - firstId + 1n, 0n);
  return Number(ids.lost().reduce((sum, { missing }) => sum + missing, open));
}

/** In percent, rounded down so that 100 means all; null where nothing is provable. */
export function completenessOf(symbols: readonly ContinuityStatus[]): number | null {
  const provable = symbols.filter((symbol) => symbol.provable);
  if (provable.length === 0) return null;
  const missing = provable.reduce((sum, symbol) => sum + symbol.missing, 0);
  const written = provable.reduce((sum, symbol) => sum + symbol.written, 0);
  return missing === 0 ? 100 : Math.floor((10_000 * written) / (written + missing)) / 100;
}

function doubt({ interruptedMs }: SymbolEntry, ids: Ids): string {
  const lost = ids.lost().length;
  const open = ids.gaps().length;
  if (ids.newest().nextId === null) return 'nothing was read yet';
  if (lost > 0) return `gaps that could not be repaired: ${lost}`;
  if (open > 0) return `gaps that are being repaired: ${open}`;
  return interruptedMs === null ? '' : 'reading was interrupted, and it is not known yet whether trades came meanwhile';
}

const textOf = ({ firstId, lastId }: { firstId: bigint; lastId: bigint }) => {
  return { firstId: String(firstId), lastId: String(lastId) };
};
