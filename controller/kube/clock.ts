// Time as the machinery sees it, passed in so that a test can move it.

export interface Clock {
  /** Monotonic, milliseconds from an arbitrary start. */
  nowMs(): number;
  /** Calls `run` once after `delayMs`; the function returned cancels it. */
  setTimer(delayMs: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  setTimer: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs`, or as soon as `signal` is aborted; leaves no timer and no listener behind. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const wake = () => {
      cancel();
      signal.removeEventListener('abort', wake);
      resolve();
    };
    const cancel = clock.setTimer(delayMs, wake);
    signal.addEventListener('abort', wake);
  });
}
