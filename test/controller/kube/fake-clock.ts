// A clock that only a test moves.
import type { Clock } from '../../../controller/kube/clock.ts';

export interface FakeClock extends Clock {
  /** Moves the time, and runs what falls due on the way, in order. */
  advance(ms: number): void;
  /** Timers that are set, milliseconds from now, soonest first. */
  timers(): number[];
  /** The delay of a timer below `delayMsMax`, one that is set already or the next one that will be. */
  timer(delayMsMax?: number): Promise<number>;
}

export function createFakeClock(): FakeClock {
  let nowMs = 0;
  const timers = new Set<{ dueMs: number; run: () => void }>();
  const waiters = new Set<{ delayMsMax: number; resolve: (delayMs: number) => void }>();
  const next = () => [...timers].sort((a, b) => a.dueMs - b.dueMs)[0];

  return {
    nowMs: () => nowMs,
    setTimer(delayMs, run) {
      const timer = { dueMs: nowMs + delayMs, run };
      timers.add(timer);
      for (const waiter of waiters) {
        if (delayMs > waiter.delayMsMax) continue;
        waiters.delete(waiter);
        waiter.resolve(delayMs);
      }
      return () => timers.delete(timer);
    },
    advance(ms) {
      const endMs = nowMs + ms;
      for (let timer = next(); timer && timer.dueMs <= endMs; timer = next()) {
        timers.delete(timer);
        nowMs = Math.max(nowMs, timer.dueMs);
        timer.run();
      }
      nowMs = endMs;
    },
    timers: () => [...timers].map(({ dueMs }) => dueMs - nowMs).sort((a, b) => a - b),
    timer(delayMsMax = Number.POSITIVE_INFINITY) {
      const delayMs = [...timers].map(({ dueMs }) => dueMs - nowMs).find((it) => it <= delayMsMax);
      if (delayMs !== undefined) return Promise.resolve(delayMs);
      return new Promise((resolve) => waiters.add({ delayMsMax, resolve }));
    },
  };
}
