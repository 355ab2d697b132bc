// A token bucket: a burst at once, then a steady rate.

export interface BucketLimits {
  perSecond: number;
  /** Tokens that a full bucket holds. */
  burst: number;
}

export interface Bucket {
  /** Takes a token, also one that is still to come. Returns how long to wait for it, milliseconds. */
  reserve(): number;
  /** Takes a token if there is one. */
  tryTake(): boolean;
}

/** @param nowMs monotonic */
export function createBucket({ perSecond, burst }: BucketLimits, nowMs: () => number): Bucket {
  let tokens = burst;
  let filledMs = nowMs();

  function fill(): void {
    const now = nowMs();
    tokens = Math.min(burst, tokens + ((now - filledMs) / 1_000) * perSecond);
    filledMs = now;
  }

  return {
    reserve() {
      fill();
      tokens--;
      return tokens >= 0 ? 0 : Math.ceil((-tokens / perSecond) * 1_000);
    },
    tryTake() {
      fill();
      if (tokens < 1) return false;
      tokens--;
      return true;
    },
  };
}
