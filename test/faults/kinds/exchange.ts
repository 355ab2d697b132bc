// Faults of the exchange and of what it sends, by the simulator.
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../cluster/until.ts';
import type { FrameFault } from '../../simulator/control.ts';
import { between, type Fault, type FaultContext } from '../fault.ts';

const framesMax = 50;
const refuseSeconds = { from: 1, to: 8 };
const delayMs = { from: 200, to: 3000 };
/** The longest backoff of a worker, twice. */
const reconnectMsMax = 60_000;
const noticeMs = { from: 500, to: 5000 };
/** REST answers this often with a refusal, and says to come back after so many seconds. */
const refusals = { from: 1, to: 4, retryAfterSeconds: 2 };
const banMs = { from: 2000, to: 6000 };

/** Where REST has trades, of exchanges that have one path for all symbols. */
const tradesPaths: Readonly<Record<string, string>> = {
  binance: '/binance/api/v3/historicalTrades',
  kraken: '/kraken/0/public/Trades',
};

/** Of one exchange, open ones. */
async function connectionsOf({ system, feed }: FaultContext): Promise<number[]> {
  const { connections } = await system.simulator.state();
  return connections
    .filter(({ exchange, closed }) => exchange === feed.exchange && closed === null)
    .map(({ connection }) => connection);
}

/** What happens to the next frames of the feed's exchange. */
function frames(kind: FrameFault['kind'], name: string, doc: string, losesUnproven: boolean): Fault {
  return {
    name,
    doc,
    weight: 1,
    hits: 'one',
    losesUnproven,
    async run({ system, feed, random, hit }) {
      const count = between(1, framesMax, random);
      const delay = kind === 'delay' ? { delayMs: between(delayMs.from, delayMs.to, random) } : {};
      await system.simulator.addFrameFault({ kind, frames: count, exchange: feed.exchange, ...delay });
      hit(`${feed.exchange}: ${count} frames${delay.delayMs === undefined ? '' : ` by ${delay.delayMs} ms`}`);
    },
  };
}

/** Something is missing then, so that REST is asked. */
async function dropSome({ system, feed, random }: FaultContext): Promise<void> {
  const count = between(1, framesMax, random);
  await system.simulator.addFrameFault({ kind: 'drop', frames: count, exchange: feed.exchange });
}

export const exchangeFaults: Fault[] = [
  {
    name: 'exchange-cut',
    doc: "The exchange's connections break without a closing handshake.",
    weight: 2,
    hits: 'one',
    losesUnproven: true,
    async run(context) {
      const open = await connectionsOf(context);
      for (const connection of open) await context.system.simulator.cut({ connection }).catch(() => {});
      context.hit(`${context.feed.exchange}: ${open.length} connections`);
    },
  },
  {
    name: 'exchange-half-open',
    doc: "The exchange's connections stay open, and nothing comes over them any more.",
    weight: 1,
    hits: 'one',
    // Those that promise a heartbeat each second. On the others silence proves nothing for up to a minute.
    exchanges: ['kraken', 'coinbase'],
    losesUnproven: true,
    async run(context) {
      const open = await connectionsOf(context);
      for (const connection of open)
        await context.system.simulator.stall({ stalled: true, connection }).catch(() => {});
      context.hit(`${context.feed.exchange}: ${open.length} connections`);
    },
  },
  {
    name: 'exchange-refuses',
    doc: 'Connections break, and new ones are refused with 503 for some seconds, at all exchanges.',
    weight: 1,
    hits: 'all',
    losesUnproven: true,
    async run({ system, random, hit }) {
      const seconds = between(refuseSeconds.from, refuseSeconds.to, random);
      await system.simulator.setAccepting({ accepting: false });
      try {
        await system.simulator.cut();
        hit(`for ${seconds} s`);
        await sleep(seconds * 1000);
      } finally {
        await system.simulator.setAccepting({ accepting: true });
      }
    },
  },
  {
    name: 'exchange-shuts-down',
    doc: 'Every exchange says that it ends its connections soon, where it has words for it, and does.',
    weight: 1,
    hits: 'all',
    losesUnproven: true,
    async run({ system, random, hit }) {
      const afterMs = between(noticeMs.from, noticeMs.to, random);
      const { nowMs } = await system.simulator.state();
      await system.simulator.shutDownConnections({ afterMs });
      hit(`after ${afterMs} ms`);
      await sleep(afterMs);
      // Trades went on until the end of the old connections, so they do not tell that there are new ones.
      await until('every exchange to have new connections', reconnectMsMax, async () => {
        const { connections } = await system.simulator.state();
        const old = connections.some(({ closed, openedMs }) => closed === null && openedMs <= nowMs);
        const isNew = ({ exchange }: { exchange: string }) =>
          connections.some((one) => one.closed === null && one.openedMs > nowMs && one.exchange === exchange);
        if (old || !system.feeds.every(isNew)) throw new Error('not yet');
        return true;
      });
    },
  },
  frames('drop', 'frames-dropped', 'Some frames are never sent.', true),
  frames('duplicate', 'frames-doubled', 'Some frames are sent twice.', false),
  frames('reorder', 'frames-reordered', 'Some frames are kept back and sent in another order.', false),
  frames('delay', 'frames-delayed', 'Some frames come late, behind those after them.', false),
  frames('garbage', 'frames-garbled', 'Some frames are no JSON.', true),
  frames('truncate', 'frames-truncated', 'Some frames end too early.', true),
  {
    name: 'rest-limited',
    doc: 'Frames are dropped, and REST answers 429 with Retry-After some times before it gives the trades.',
    weight: 1,
    hits: 'one',
    exchanges: Object.keys(tradesPaths),
    losesUnproven: true,
    async run(context) {
      const { system, feed, random, hit } = context;
      const requests = between(refusals.from, refusals.to, random);
      const { retryAfterSeconds } = refusals;
      const path = tradesPaths[feed.exchange] ?? '';
      await system.simulator.addRestFault({ path, status: 429, retryAfterSeconds, requests });
      await dropSome(context);
      hit(`${feed.exchange}: ${requests} requests`);
    },
  },
  {
    name: 'rest-banned',
    doc: 'Frames are dropped, and the exchange bans everybody from REST for some seconds.',
    weight: 1,
    hits: 'one',
    // Its 418 says for how long. Elsewhere a worker that is told nothing waits a minute.
    exchanges: ['binance'],
    losesUnproven: true,
    async run(context) {
      const { system, feed, random, hit } = context;
      const durationMs = between(banMs.from, banMs.to, random);
      await system.simulator.ban({ durationMs, exchange: feed.exchange });
      await dropSome(context);
      hit(`${feed.exchange} for ${durationMs} ms`);
    },
  },
];
