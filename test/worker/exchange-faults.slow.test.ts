// The faults that every exchange has, on each of them: what the stream did not bring is asked of its own history.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Exchange } from '../../worker/exchanges/exchange.ts';
import { exchanges } from '../../worker/exchanges/index.ts';
import { type Simulator, startSimulator } from '../simulator/simulator.ts';
import { type RunningFeed, runFeed } from './run-feed.ts';

vi.setConfig({ testTimeout: 90_000 });

const later = { timeout: 20_000 };

/** Two symbols of each, as the exchange spells them. */
const names: Record<string, string[]> = {
  binance: ['BTCUSDT', 'ETHUSDT'],
  kraken: ['BTC/USDT', 'ETH/USDT'],
  coinbase: ['BTC-USDT', 'ETH-USDT'],
  'coinbase-advanced': ['BTC-USDT', 'ETH-USDT'],
  okx: ['BTC-USDT', 'ETH-USDT'],
  bybit: ['BTCUSDT', 'ETHUSDT'],
};

let simulator: Simulator;
let stop: AbortController;
let run: RunningFeed;

beforeEach(async () => {
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 60, symbols: ['BTCUSDT', 'ETHUSDT'] });
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await run.ended;
  await simulator.close();
});

async function start(exchangeId: string, exchange: Exchange): Promise<void> {
  const urls = {
    webSocketUrl: `${simulator.webSocketUrl}/${exchangeId}`,
    restUrl: `${simulator.url}/${exchangeId}`,
  };
  run = runFeed({ exchangeId, exchange, ...urls, names: names[exchangeId] ?? [] }, stop.signal);
  await expect.poll(() => new Set(run.written().map((text) => text.split(' ')[0])).size, later).toBe(2);
}

const compare = (a: bigint, b: bigint) => (a < b ? -1 : 1);

/** Ids of a symbol that were made, from the first that was written on; and those written, without a snapshot's. */
async function idsOf(exchange: string, symbol: string): Promise<{ made: bigint[]; written: bigint[] }> {
  const texts = run.written().filter((text) => text.startsWith(`${symbol} `));
  const written = texts.map((text) => BigInt(text.split(' ')[1] ?? 0)).sort(compare);
  const made: bigint[] = [];
  for await (const trade of simulator.made({ exchange })) if (trade.symbol === symbol) made.push(BigInt(trade.id));
  const [firstWritten = 0n] = written;
  const [firstMade = 0n] = made;
  return { made: made.filter((id) => id >= firstWritten), written: written.filter((id) => id >= firstMade) };
}

const provable = Object.entries(exchanges).filter(([, { continuity }]) => continuity.kind !== 'none');

describe.each(provable)('on %s', (exchangeId, exchange) => {
  test('dropped frames and a cut connection leave every trade written once', async () => {
    await start(exchangeId, exchange);
    await simulator.addFrameFault({ kind: 'drop', frames: 10, chance: 0.3 });
    await simulator.addFrameFault({ kind: 'duplicate', frames: 10, chance: 0.3 });
    await run.producer.holds(run.producer.appended.length + 200);
    await simulator.setAccepting({ accepting: false });
    await simulator.cut();
    await simulator.burst({ trades: 300 });
    await simulator.setAccepting({ accepting: true });
    await run.producer.holds(run.producer.appended.length + 200);
    await simulator.pause();
    for (const symbol of names[exchangeId] ?? []) {
      const missing = async () => {
        const { made, written } = await idsOf(exchangeId, symbol);
        return made.length - written.length;
      };
      await expect.poll(missing, later).toBe(0);
      const { made, written } = await idsOf(exchangeId, symbol);
      expect(written).toEqual(made);
    }
    const isProven = () => run.status.snapshot().symbols.every(({ continuity }) => continuity?.proven);
    await expect.poll(isProven, later).toBe(true);
  });
});

const unprovable = Object.entries(exchanges).filter(([, { continuity }]) => continuity.kind === 'none');

describe.each(unprovable)('on %s, whose ids prove nothing', (exchangeId, exchange) => {
  test('what came is written once, and nothing is claimed', async () => {
    await start(exchangeId, exchange);
    await simulator.addFrameFault({ kind: 'duplicate', frames: 10 });
    await run.producer.holds(run.producer.appended.length + 200);
    expect(new Set(run.written()).size).toBe(run.written().length);
    const { completeness, symbols } = run.status.snapshot();
    expect(completeness).toBeNull();
    expect(symbols.map(({ continuity }) => [continuity?.provable, continuity?.proven])).toEqual([
      [false, false],
      [false, false],
    ]);
    const duplicates = symbols.reduce((sum, { continuity }) => sum + (continuity?.duplicates ?? 0), 0);
    expect(duplicates).toBeGreaterThanOrEqual(10);
  });
});
