// The load of a run: a steady rate, and bursts at drawn times.
import { setTimeout as sleep } from 'node:timers/promises';
import type { SimulatorControl } from '../simulator/control.ts';
import { between } from './fault.ts';

/** Over all symbols of an exchange; four feeds make it 300 a second in the topics. */
export const tradesPerSecond = 75;
const burstTrades = { from: 200, to: 2000 };
const burstEveryMs = { from: 3000, to: 15_000 };

/**
 * Bursts until the signal is aborted. One that the simulator does not answer is left out.
 * @returns how many trades of an exchange came in bursts
 */
export async function runBursts(
  simulator: SimulatorControl,
  random: () => number,
  signal: AbortSignal,
): Promise<number> {
  let sent = 0;
  for (;;) {
    const waitMs = between(burstEveryMs.from, burstEveryMs.to, random);
    const ended = await sleep(waitMs, false, { signal }).catch(() => true);
    if (ended) return sent;
    const trades = between(burstTrades.from, burstTrades.to, random);
    await simulator.burst({ trades }).then(
      () => {
        sent += trades;
      },
      () => {},
    );
  }
}
