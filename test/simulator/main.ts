// Starts the simulator from environment variables; README.md lists them.
import { simulatorDefaults, startSimulator } from './simulator.ts';

/** A whole number from the environment; one sentence and the end when it is none. */
function integer(name: string, fallback: number, max: number): number {
  const text = process.env[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > max) {
    console.error(`${name}: '${text}' is not a whole number from 0 to ${max}; for example ${name}=${fallback}`);
    process.exit(2);
  }
  return value;
}

const symbols = process.env.SIMULATOR_SYMBOLS?.split(',').map((symbol) => symbol.trim());
const simulator = await startSimulator({
  port: integer('SIMULATOR_PORT', 8080, 65_535),
  seed: process.env.SIMULATOR_SEED || simulatorDefaults.seed,
  tradesPerSecond: integer('SIMULATOR_RATE', simulatorDefaults.tradesPerSecond, 1_000_000),
  ledgerBytesMax: integer('SIMULATOR_LEDGER_BYTES', simulatorDefaults.ledgerBytesMax, 16 * 1024 ** 3),
  ...(symbols && { symbols }),
});
console.log(
  `exchange simulator: ${simulator.webSocketUrl}/stream, ${simulator.url}/api/v3, ${simulator.url}/control/state`,
);
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void simulator.close());
