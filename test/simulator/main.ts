// Starts the simulator from environment variables; README.md lists them.
import { exchangeIds } from './exchanges.ts';
import { simulatorDefaults, startSimulator } from './simulator.ts';

function integer(name: string, fallback: number, max: number): number {
  const text = process.env[name];
  if (text === undefined || text === '') return fallback;
  if (/^\d+$/.test(text) && Number(text) <= max) return Number(text);
  throw new Error(`${name}: '${text}' is not a whole number from 0 to ${max}; for example ${name}=${fallback}`);
}

try {
  const symbols = process.env.SIMULATOR_SYMBOLS?.split(',').map((symbol) => symbol.trim());
  const { port, close } = await startSimulator({
    port: integer('SIMULATOR_PORT', 8080, 65_535),
    seed: process.env.SIMULATOR_SEED || simulatorDefaults.seed,
    tradesPerSecond: integer('SIMULATOR_RATE', simulatorDefaults.tradesPerSecond, 1_000_000),
    ledgerBytesMax: integer('SIMULATOR_LEDGER_BYTES', simulatorDefaults.ledgerBytesMax, 16 * 1024 ** 3),
    ...(symbols && { symbols }),
  });
  console.log(`exchange simulator: port ${port}: /control/state, and exchanges ${exchangeIds.join(', ')} below /<id>`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void close());
} catch (error) {
  console.error(`exchange simulator: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 2;
}
