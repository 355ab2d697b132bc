// A feed in this process on one exchange of the simulator, and what it has written of what was made.
import { expect } from 'vitest';
import { exchanges } from '../../worker/exchanges/index.ts';
import type { Simulator } from '../simulator/simulator.ts';
import { type RunningFeed, runFeed } from './run-feed.ts';

/** How long an outside thing may take on a busy machine. */
export const later = { timeout: 20_000 };

/** What the simulator lists in these tests. */
export const listed = ['BTCUSDT', 'ETHUSDT'];

/** The same, as an exchange spells them. */
export function namesOn(exchangeId: string): string[] {
  if (exchangeId === 'kraken') return ['BTC/USDT', 'ETH/USDT'];
  return exchangeId === 'binance' || exchangeId === 'bybit' ? listed : ['BTC-USDT', 'ETH-USDT'];
}

/** Reads until the signal is aborted; the first trade of each symbol is written when this resolves. */
export async function startFeed(simulator: Simulator, exchangeId: string, signal: AbortSignal): Promise<RunningFeed> {
  const exchange = exchanges[exchangeId];
  if (exchange === undefined) throw new Error(`no exchange ${exchangeId}`);
  const webSocketUrl = `${simulator.webSocketUrl}/${exchangeId}`;
  const restUrl = `${simulator.url}/${exchangeId}`;
  const run = runFeed({ exchangeId, exchange, webSocketUrl, restUrl, names: namesOn(exchangeId) }, signal);
  await expect.poll(() => new Set(run.written().map((text) => text.split(' ')[0])).size, later).toBe(2);
  return run;
}

export interface Compared {
  /** Made from the first trade on that was written. */
  made: number;
  /** Ids, with their symbols. */
  lost: string[];
  doubled: string[];
}

/** What was written so far against what was made so far, of all symbols. */
export async function compare(run: RunningFeed, simulator: Simulator, exchangeId: string): Promise<Compared> {
  const written = new Set<string>();
  const doubled: string[] = [];
  for (const text of run.written()) {
    if (written.has(text)) doubled.push(text);
    written.add(text);
  }
  const compared: Compared = { made: 0, lost: [], doubled };
  const begun = new Set<string>();
  for await (const { symbol, id } of simulator.made({ exchange: exchangeId })) {
    const text = `${symbol} ${id}`;
    if (written.has(text)) begun.add(symbol);
    if (!begun.has(symbol)) continue;
    compared.made++;
    if (!written.has(text)) compared.lost.push(text);
  }
  return compared;
}

/** With the market paused: waits until nothing is missing, and until the feed itself says so. */
export async function expectEachTradeOnce(
  run: RunningFeed,
  simulator: Simulator,
  exchangeId: string,
  within = later,
): Promise<Compared> {
  await simulator.pause();
  await expect.poll(async () => (await compare(run, simulator, exchangeId)).lost, within).toEqual([]);
  const isProven = () => run.status.snapshot().symbols.every(({ continuity }) => continuity?.proven);
  await expect.poll(isProven, within).toBe(true);
  const compared = await compare(run, simulator, exchangeId);
  expect(compared).toMatchObject({ lost: [], doubled: [] });
  return compared;
}

/** The sum over all labels. */
export const count = async (run: RunningFeed, metric: 'backfilled' | 'duplicates') =>
  (await run.metrics[metric].get()).values.reduce((sum, { value }) => sum + value, 0);
