// Time as the simulator sees it. Passed in, so that a test can let 24 hours pass at once.

export interface Clock {
  /** Microseconds since 1970, never backwards. */
  nowUs(): number;
  /** Calls once after `ms`; the answer cancels. */
  after(ms: number, call: () => void): () => void;
  /** Calls every `ms` until cancelled by the answer. */
  every(ms: number, call: () => void): () => void;
}

export const systemClock: Clock = {
  nowUs: () => Math.round((performance.timeOrigin + performance.now()) * 1000),
  after(ms, call) {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
  every(ms, call) {
    const timer = setInterval(call, ms);
    return () => clearInterval(timer);
  },
};
