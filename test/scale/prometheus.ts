// Reads the Prometheus text format, as far as our own programs write it.
// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

function samplesOf(page: string): Sample[] {
  return [...page.matchAll(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/gm)].map(([, name = '', labels = '', value]) => ({
    name,
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text])),
    value: Number(value),
  }));
}

/** The sum of the samples that have at least these labels; 0 where there is none. */
export function sumOf(page: string, name: string, labels: Record<string, string> = {}): number {
  const wanted = Object.entries(labels);
  return samplesOf(page)
    .filter((sample) => sample.name === name && wanted.every(([key, value]) => sample.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0);
}

/** How many were at most so much, by rising bounds; the last bound is Infinity. */
export type Histogram = { atMost: number; count: number }[];

/** Of all label values together. */
export function histogramOf(page: string, name: string): Histogram {
  const counts = new Map<number, number>();
  for (const { labels, value } of samplesOf(page).filter((sample) => sample.name === `${name}_bucket`)) {
    const atMost = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le);
    counts.set(atMost, (counts.get(atMost) ?? 0) + value);
  }
  return [...counts].map(([atMost, count]) => ({ atMost, count })).sort((a, b) => a.atMost - b.atMost);
}

/** What came between two readings of the same histogram. */
export function since(before: Histogram, after: Histogram): Histogram {
  const counted = new Map(before.map(({ atMost, count }) => [atMost, count]));
  return after.map(({ atMost, count }) => ({ atMost, count: count - (counted.get(atMost) ?? 0) }));
}

/**
 * As Prometheus' histogram_quantile: straight lines between the bounds.
 * @param share 0.99 for the 99th percentile
 * @returns null where nothing was counted
 */
export function quantile(histogram: Histogram, share: number): number | null {
  const total = histogram.at(-1)?.count ?? 0;
  if (total === 0) return null;
  const rank = share * total;
  const index = histogram.findIndex(({ count }) => count >= rank);
  const { atMost: upper, count } = histogram[index] ?? { atMost: 0, count: 0 };
  const { atMost: lower, count: before } = histogram[index - 1] ?? { atMost: 0, count: 0 };
  if (upper === Number.POSITIVE_INFINITY) return lower;
  return lower + ((upper - lower) * (rank - before)) / (count - before);
}
