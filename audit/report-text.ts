// The report for a person: one row per symbol, then what is wrong in plain sentences.
import { type FindingKind, findingKinds } from './findings.ts';
import { isClean, isEmpty, type Report, type SymbolReport } from './report.ts';
import { recentIdsMin } from './trade-ids.ts';

const columns: readonly [title: string, cell: (symbol: SymbolReport) => string][] = [
  ['symbol', ({ symbol }) => symbol],
  ['trades', ({ trades }) => countText(trades)],
  ['first id', ({ firstId }) => firstId ?? '-'],
  ['last id', ({ lastId }) => lastId ?? '-'],
  ['missing', ({ missing }) => (missing === null ? 'not provable' : countText(missing))],
  ['doubled', ({ doubled }) => countText(doubled)],
  ['back-filled', ({ backfilled }) => countText(backfilled)],
  ['raw without trade', ({ rawWithoutTrade }) => countText(rawWithoutTrade)],
  ['trade without raw', ({ tradeWithoutRaw }) => countText(tradeWithoutRaw)],
  ['differing', ({ differing }) => countText(differing)],
  ['cursor', ({ cursor }) => cursor],
];

/** Thousands apart. */
export const countText = (count: number | string) => String(count).replace(/\B(?=(\d{3})+$)/g, ',');

/** @returns lines */
export function reportText(report: Report): string[] {
  const { symbols, findings, counts } = report;
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const more = `- and ${countText(all - findings.length)} more (--findings says how many are told)`;
  return [
    ...table(symbols),
    '',
    ...seen(report),
    '',
    ...verdict(report),
    ...findings.map(({ text }) => `- ${text}`),
    ...(all > findings.length ? [more] : []),
  ];
}

/** What was there, and is no error. */
function seen({ totals, symbols, whyNoProof }: Report): string[] {
  const { raw, normalized, unreadable, deadLetters, repeats } = totals;
  const before = symbols.reduce((sum, symbol) => sum + symbol.before, 0);
  const lines = [`raw records: ${countText(raw)}, normalized records: ${countText(normalized)}`];
  if (unreadable + deadLetters > 0) {
    const counts = `${countText(unreadable)} in the raw topic, ${countText(deadLetters)} in the dead-letter topic`;
    lines.push(`frames that the worker could not read: ${counts}`);
  }
  if (repeats > 0) lines.push(`trades that frames repeat beside others: ${countText(repeats)}`);
  if (before > 0) lines.push(`trades not compared, from before one of the topics begins: ${countText(before)}`);
  if (whyNoProof !== null) {
    const doubled = `doubled ones are found within ${countText(recentIdsMin)} of a symbol`;
    lines.push(`missing trades: not provable, because ${whyNoProof}; ${doubled}`);
  }
  return lines;
}

function verdict(report: Report): string[] {
  const { counts, whyNoProof } = report;
  if (isEmpty(report)) return ['NOTHING TO AUDIT: neither topic has a committed record in this time'];
  if (isClean(report) && whyNoProof === null) return ['COMPLETE: each trade once, as sent'];
  if (isClean(report)) return ['NO FINDING: each trade that came once, as sent'];
  const kinds = Object.entries(counts) as [FindingKind, number][];
  return ['FINDINGS', ...kinds.map(([kind, count]) => `  ${countText(count)} ${findingKinds[kind]}`)];
}

function table(symbols: readonly SymbolReport[]): string[] {
  const rows = [columns.map(([title]) => title), ...symbols.map((symbol) => columns.map(([, cell]) => cell(symbol)))];
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const pad = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(pad).join('  ').trimEnd());
}
