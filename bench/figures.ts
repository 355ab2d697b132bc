// What a run cost: speed by the clock, which others on the machine slow down, and CPU, which they hardly change.

export interface Figures {
  trades: number;
  elapsedMs: number;
  /** Of all threads of this process, user and system. */
  cpuUs: number;
  rssBytes: number;
}

/** Starts to measure; the function that it gives ends it. */
export function measure(): (trades: number) => Figures {
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  return (trades) => {
    const { user, system } = process.cpuUsage(startCpu);
    const elapsedMs = performance.now() - startMs;
    return { trades, elapsedMs, cpuUs: user + system, rssBytes: process.memoryUsage.rss() };
  };
}

export const cpuUsPerTrade = ({ cpuUs, trades }: Figures) => cpuUs / trades;

const rounded = (value: number) => (value < 1000 ? Math.round(value) : Math.round(value / 100) * 100);

/** A row: trades/s by the clock, CPU per trade, what a whole core and half of one come to, memory, ratio. */
export function row(name: string, figures: Figures, literal: Figures): string {
  const cpuUs = cpuUsPerTrade(figures);
  return `| ${[
    name,
    rounded(figures.trades / (figures.elapsedMs / 1000)),
    cpuUs.toFixed(1),
    rounded(1e6 / cpuUs),
    rounded(0.5e6 / cpuUs),
    `${Math.round(figures.rssBytes / 1e6)} MB`,
    (cpuUsPerTrade(literal) / cpuUs).toFixed(1),
  ].join(' | ')} |`;
}

const columns = [
  'one thread, flat out',
  'trades/s',
  'CPU µs/trade',
  'per CPU second',
  'per half',
  'RSS',
  'times literal',
];
export const heading = `| ${columns.join(' | ')} |\n|${'---|'.repeat(columns.length)}`;
