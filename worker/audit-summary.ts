// What an audit saw, in lines for a person.
import type { Summary } from './audit.ts';
import type { Continuity } from './exchanges/exchange.ts';

/** Gaps of one symbol that are told with their bounds; all are counted. */
const gapsToldMax = 20;

const symbolsToldMax = 20;

/** @param hasMetadata the exchange's metadata was given */
export function linesOfSummary(summary: Summary, continuity: Continuity, hasMetadata: boolean): string[] {
  const { frames, trades, duplicates, unreadable, untimed } = summary;
  const total = [...frames.values()].reduce((sum, count) => sum + count, 0);
  const kinds = [...frames].map(([kind, count]) => `${kind} ${count}`).join(', ');
  const unreadableCount = frames.get('unreadable') ?? 0;
  return [
    `frames: ${total}${kinds && ` (${kinds})`}`,
    `trades: ${trades}`,
    `duplicates: ${duplicates}`,
    `unreadable: ${unreadableCount}`,
    ...unreadable.map(({ line, why }) => `  line ${line}: ${why}`),
    ...more(unreadableCount - unreadable.length),
    ...gapLines(summary, continuity),
    ...unknownLines(summary, hasMetadata),
    ...(untimed > 0 ? [`no received time: ${untimed} trades; their timestamp is the exchange's`] : []),
  ];
}

function gapLines({ gaps }: Summary, continuity: Continuity): string[] {
  if (continuity.kind === 'none') return [`gaps: not provable, ${continuity.why}`];
  const open = [...gaps].filter(([, list]) => list.length > 0);
  const count = open.reduce((sum, [, list]) => sum + list.length, 0);
  const unsure = continuity.kind === 'rising' && count > 0 ? ", if the exchange's REST interface knows their ids" : '';
  return [
    `gaps: ${count}${unsure}`,
    ...open.flatMap(([symbol, list]) => [
      ...list
        .slice(0, gapsToldMax)
        .map(({ firstId, lastId, trades }) => `  ${symbol}: ${firstId} to ${lastId}, ${trades} missing`),
      ...more(list.length - gapsToldMax, ` of ${symbol}`),
    ]),
  ];
}

function unknownLines({ unknownSymbols }: Summary, hasMetadata: boolean): string[] {
  if (unknownSymbols.length === 0) return [];
  const why = hasMetadata ? 'the metadata does not list them' : 'only the metadata tells it, and none was given';
  const named = unknownSymbols.slice(0, symbolsToldMax).join(', ');
  const rest = more(unknownSymbols.length - symbolsToldMax);
  return [`canonical symbol unknown, hence null: ${named} (${why})`, ...rest];
}

const more = (count: number, of = ''): string[] => (count > 0 ? [`  and ${count} more${of}`] : []);
