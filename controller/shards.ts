// Which shard of a feed has which symbols: rendezvous hashing, so that another number of shards moves few. Pure.
// https://en.wikipedia.org/wiki/Rendezvous_hashing
import { hash } from 'node:crypto';

/**
 * Spreads symbols over shards. The same set of symbols gives the same answer, whatever its order; one shard more moves
 * symbols to the new shard only, one less moves only those of the last; and no shard is empty.
 * @param shards at least 1, at most as many as symbols
 * @returns the symbols of each shard, sorted
 * @throws Error with one sentence when there are more shards than symbols
 */
export function spread(symbols: readonly string[], shards: number): string[][] {
  if (shards > symbols.length) {
    throw new Error(`shards is ${shards}, and the number of symbols is ${symbols.length}: each shard needs one`);
  }
  let groups = [symbols.toSorted()];
  while (groups.length < shards) groups = withOneMore(groups);
  return groups;
}

/** The new shard takes the symbols that prefer it, but never the last one of another; it takes one in any case. */
function withOneMore(groups: string[][]): string[][] {
  const added = groups.length;
  const byPreference = (a: string, b: string) => (weight(a, added) < weight(b, added) ? 1 : -1);
  const taken = new Set(
    groups.flatMap((group, shard) =>
      group
        .filter((symbol) => weight(symbol, added) > weight(symbol, shard))
        .sort(byPreference)
        .slice(0, group.length - 1),
    ),
  );
  if (taken.size === 0) {
    const [best] = groups
      .filter(({ length }) => length > 1)
      .flat()
      .sort(byPreference);
    if (best !== undefined) taken.add(best);
  }
  const kept = groups.map((group) => group.filter((symbol) => !taken.has(symbol)));
  return [...kept, [...taken].sort()];
}

/** Digests of equal length: the greater text is the greater number. */
const weight = (symbol: string, shard: number): string => hash('sha256', `${shard} ${symbol}`);
