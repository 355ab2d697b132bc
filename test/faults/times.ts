// How long faults took to pass, as tables: percentiles by kind, and hand-overs beside what they aim at. Pure.

/** What one fault came to; all times in milliseconds from when it took effect. */
export interface Recovery {
  number: number;
  kind: string;
  /** Standbys of the feed that was hit, of each shard. */
  standbys: number;
  /** Until a trade that was made after the fault had been read of every symbol, committed. */
  firstMs: number;
  /** The longest that any trade took from the exchange to a reader of what is committed, until all was whole. */
  stallMs: number;
  /** Until every feed was Ready, all pods were as wanted, and no id was missing. */
  wholeMs: number;
}

interface Aim {
  title: string;
  includes(recovery: Recovery): boolean;
  field: 'firstMs' | 'stallMs';
  aimMs: number;
}

const rollouts = ['rollout-restarted', 'resources-changed', 'image-changed'];
const podLosses = ['pod-force-deleted'];

const aims: Aim[] = [
  {
    title: 'rollout: longest delay of a trade, p99',
    includes: ({ kind }) => rollouts.includes(kind),
    field: 'stallMs',
    aimMs: 1000,
  },
  {
    title: 'kill -9 of the container: to the first new trade, max',
    includes: ({ kind }) => kind === 'container-killed',
    field: 'firstMs',
    aimMs: 10_000,
  },
  {
    title: 'loss of the pod with a standby: to the first new trade, max',
    includes: ({ kind, standbys }) => podLosses.includes(kind) && standbys > 0,
    field: 'firstMs',
    aimMs: 20_000,
  },
];

/**
 * The nearest rank: the least of the values that so many percent do not exceed.
 * @param percent above 0, at most 100
 * @returns NaN of nothing
 */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil((percent / 100) * sorted.length) - 1] ?? Number.NaN;
}

/** One line for each kind, those that took longest first. */
export function timesTable(recoveries: readonly Recovery[]): string {
  const three = (values: number[]) => [50, 99, 100].map((percent) => seconds(percentile(values, percent)));
  const rows = [...Map.groupBy(recoveries, ({ kind }) => kind)]
    .sort(([, a], [, b]) => longest(b) - longest(a))
    .map(([kind, of]) => [
      kind,
      String(of.length),
      ...three(of.map(({ firstMs }) => firstMs)),
      ...three(of.map(({ stallMs }) => stallMs)),
      ...three(of.map(({ wholeMs }) => wholeMs)),
    ]);
  const percentiles = ['p50', 'p99', 'max'];
  const group = (title: string) => percentiles.map((name) => `${title} ${name}`);
  return table([['seconds', 'faults', ...group('first'), ...group('stall'), ...group('whole')], ...rows]);
}

/** Hand-overs that have an aim; a kind that did not come is left out. */
export function aimsTable(recoveries: readonly Recovery[]): string {
  const rows = aims.flatMap(({ title, includes, field, aimMs }) => {
    const values = recoveries.filter(includes).map((recovery) => recovery[field]);
    if (values.length === 0) return [];
    const reached = percentile(values, title.endsWith('max') ? 100 : 99);
    const verdict = reached <= aimMs ? 'reached' : 'MISSED';
    return [[title, String(values.length), seconds(percentile(values, 50)), seconds(reached), seconds(aimMs), verdict]];
  });
  return table([['hand-over (seconds)', 'faults', 'p50', 'reached', 'aim', ''], ...rows]);
}

const longest = (recoveries: readonly Recovery[]) => Math.max(...recoveries.map(({ wholeMs }) => wholeMs));

export const seconds = (ms: number): string => (ms / 1000).toFixed(2);

/** The first column to the left, all others to the right. */
export function table(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const cell = (text: string, column: number) =>
    column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(cell).join('  ').trimEnd()).join('\n');
}
