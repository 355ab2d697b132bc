// Many trades at once, and how long the network took for them.
import type { Clock } from './clock.ts';
import type { Connection } from './connection.ts';
import type { Burst } from './control-types.ts';
import { inFewWrites } from './exchange.ts';
import type { Market, Publish } from './market.ts';

/** A client that has paused reading takes nothing for as long as it likes; a test that wants that need not wait. */
const takenMsMax = 1000;

export interface BurstOptions {
  clock: Clock;
  market: Market;
  connections: Connection[];
  publish: Publish;
}

/** @param symbol undefined: all of them share the trades */
export async function sendBurst(trades: number, symbol: string | undefined, options: BurstOptions): Promise<Burst> {
  const { clock, market, connections, publish } = options;
  const fromUs = clock.nowUs();
  let made = 0;
  inFewWrites(connections, () =>
    market.burst(trades, symbol, fromUs, (listing, order) => {
      made += order.quantitiesE8.length;
      publish(listing, order);
    }),
  );
  const taken = Promise.all(connections.map((connection) => connection.drained())).then(() => clock.nowUs());
  const tooSlow = new Promise<null>((resolve) => clock.after(takenMsMax, () => resolve(null)));
  return { trades: made, fromUs, untilUs: await Promise.race([taken, tooSlow]) };
}
