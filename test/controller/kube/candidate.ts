// A process that stands for election against a lease server, for the tests of it.
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { Clock } from '../../../controller/kube/clock.ts';
import { createElection } from '../../../controller/kube/lease.ts';
import { createKubeMetrics } from '../../../controller/kube/metrics.ts';
import { createFakeClock } from './fake-clock.ts';
import type { LeaseServer } from './lease-server.ts';

/** Everything that can run without time passing has run. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** One process that stands for election, on a clock of its own. */
export function stand(server: LeaseServer, identity: string, { random = 0, year = 2026 } = {}) {
  const fake = createFakeClock();
  let pausedMs = 0;
  const clock: Clock = { ...fake, nowMs: () => fake.nowMs() + pausedMs };
  const { transport, line } = server.connect(clock);
  const registry = new Registry();
  const logged: string[] = [];
  const election = createElection({
    transport,
    namespace: 'k2-system',
    name: 'k2',
    identity,
    clock,
    wallClockMs: () => Date.UTC(year, 0) + clock.nowMs(),
    random: () => random,
    log: pino({ level: 'info' }, { write: (entry: string) => void logged.push(JSON.parse(entry).msg) }),
    metrics: createKubeMetrics(registry),
  });
  let loss: unknown = null;
  election.lost.catch((error: unknown) => {
    loss = error;
  });
  const stop = new AbortController();
  let leads = false;
  const acquired = election.acquire(stop.signal).then(() => {
    leads = true;
  });
  acquired.catch(() => {});
  return {
    election,
    line,
    logged,
    registry,
    stop,
    acquired,
    transport,
    clock: fake,
    leads: () => leads,
    loss: () => loss,
    /** Lets time pass in steps so small that whatever is due in one is done before the next. */
    async pass(ms: number) {
      for (let passed = 0; passed < ms; passed += 100) {
        fake.advance(100);
        await settled();
      }
    },
    /** The process stands still for that long; its timers run late. */
    pause(ms: number) {
      pausedMs += ms;
    },
  };
}
