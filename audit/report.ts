// What the auditor found, as values: the gaps and cursors of each symbol, the findings, and whether there is any doubt.
import type { Cursors } from './cursors.ts';
import type { Finding, FindingKind, Findings } from './findings.ts';
import type { Ledger } from './ledger.ts';
import { type IdRange, rangesMax } from './trade-ids.ts';

export interface Totals {
  /** Records that were audited. */
  raw: number;
  normalized: number;
  /** Trades in raw records that came before, which is no error: the record holds others that did not. */
  repeats: number;
  /** Raw records that are marked unreadable, and records of the dead-letter topic. */
  unreadable: number;
  deadLetters: number;
}

export interface SymbolReport {
  symbol: string;
  canonicalSymbol: string | null;
  trades: number;
  /** As text: ids can be beyond 2^53. Null: no trade. */
  firstId: string | null;
  lastId: string | null;
  /** Null: ids prove nothing. */
  missing: string | null;
  doubled: number;
  backfilled: number;
  rawWithoutTrade: number;
  tradeWithoutRaw: number;
  differing: number;
  /** Trades in either topic that are not compared, because the other one begins later. */
  before: number;
  cursor: CursorVerdict;
}

export type CursorVerdict = 'equal' | 'differs' | 'absent' | 'skipped';

export interface Report {
  exchange: string;
  /** Why ids prove nothing at this exchange; null: they prove that no trade is missing. */
  whyNoProof: string | null;
  symbols: SymbolReport[];
  totals: Totals;
  counts: Partial<Record<FindingKind, number>>;
  /** The first of them in words. */
  findings: readonly Finding[];
}

export interface Audited {
  exchange: string;
  whyNoProof: string | null;
  /** In the order of the report. */
  ledgers: readonly Ledger[];
  cursors: Cursors | null;
  findings: Findings;
  totals: Totals;
}

export function reportOf({ exchange, whyNoProof, ledgers, cursors, findings, totals }: Audited): Report {
  // A feed that writes no cursors leaves the topic empty.
  const compared = cursors === null || cursors.isEmpty() ? null : cursors;
  for (const [key, why] of compared?.unreadable ?? [])
    findings.add('cursor', `The record '${key}' cannot be read: ${why}`);
  const symbols = ledgers.map((ledger): SymbolReport => {
    const missing = addGaps(ledger, compared, findings);
    const { firstId, lastId } = ledger.bounds();
    return {
      symbol: ledger.symbol,
      canonicalSymbol: ledger.canonicalSymbol,
      trades: ledger.trades,
      firstId: firstId?.toString() ?? ledger.firstSeen,
      lastId: lastId?.toString() ?? ledger.lastSeen,
      missing: missing?.toString() ?? null,
      doubled: ledger.doubled,
      backfilled: ledger.backfilled,
      rawWithoutTrade: ledger.rawWithoutTrade,
      tradeWithoutRaw: ledger.tradeWithoutRaw,
      differing: ledger.differing,
      before: ledger.before,
      cursor: whyNoProof === null ? compareCursor(ledger, compared, findings) : 'skipped',
    };
  });
  const counts = Object.fromEntries(findings.counts());
  return { exchange, whyNoProof, symbols, totals, counts, findings: findings.told() };
}

/** @returns how many trades are missing; null: ids prove nothing */
function addGaps(ledger: Ledger, cursors: Cursors | null, findings: Findings): bigint | null {
  const { symbol } = ledger;
  const holes = ledger.holes();
  if (ledger.leavesTooManyGaps())
    findings.add('wrong-id', `${symbol}: more than ${rangesMax} gaps, which is too many to follow`);
  if (holes === null) return null;
  const known = cursors?.of(symbol).flatMap(({ missing }) => missing) ?? [];
  for (const hole of holes) {
    const said = known.some((range) => range.firstId <= hole.lastId && hole.firstId <= range.lastId);
    const words = said ? ', as its cursor says' : '';
    findings.add('missing', `${symbol} ${rangeText(hole)} missing${words}`);
  }
  return holes.reduce((sum, hole) => sum + sizeOf(hole), 0n);
}

const sizeOf = ({ firstId, lastId }: IdRange) => lastId - firstId + 1n;

const rangeText = (range: IdRange) =>
  range.firstId === range.lastId
    ? `${range.firstId} is`
    : `${range.firstId} to ${range.lastId}: ${sizeOf(range)} trades are`;

/** It was read after the end, while trades may have been written: it is right anywhere from the last to the newest. */
function compareCursor(ledger: Ledger, cursors: Cursors | null, findings: Findings): CursorVerdict {
  const { symbol } = ledger;
  const { lastId, newestId } = ledger.bounds();
  if (cursors === null || lastId === null || newestId === null) return 'skipped';
  const [cursor, other] = cursors.of(symbol);
  if (cursor === undefined) {
    findings.add('cursor', `${symbol} has no cursor`);
    return 'absent';
  }
  if (other !== undefined) {
    findings.add(
      'cursor',
      `${symbol} has cursors of ${cursor.feed} and ${other.feed}: name one of the feeds with --feed`,
    );
    return 'differs';
  }
  if (lastId <= cursor.lastId && cursor.lastId <= newestId) return 'equal';
  findings.add(
    'cursor',
    `${symbol}: the cursor of ${cursor.feed} says ${cursor.lastId}, and the last trade is ${newestId}`,
  );
  return 'differs';
}

/** What a script has to know. */
export const isClean = ({ counts }: Report) => Object.keys(counts).length === 0;

/** Nothing was proven, nor refuted. */
export const isEmpty = ({ totals }: Report) => totals.raw + totals.normalized === 0;
