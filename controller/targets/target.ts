// The contract of a target: an outside thing that is brought to the desired state. Dumb doing: it observes and applies;
// what is to be done, and what must not be, is decided in plan.ts.

/**
 * @typeParam D what is desired
 * @typeParam O what is observed
 * @typeParam A what can be done
 */
export interface Target<D, O, A> {
  /**
   * Reads the state of what is desired, in few requests and bounded time.
   * @param ageMsMax what was seen no longer ago than that will do, milliseconds; absent: the present state
   * @throws TargetError
   */
  observe(desired: D, ageMsMax?: number): Promise<O>;
  /** Does one action, in bounded time; doing it twice is harmless. @throws TargetError */
  apply(desired: D, action: A): Promise<void>;
}

/** A target whose things outlive the feed, unless the feed says otherwise. */
export interface Removable<D> {
  /** Of what is desired, the names of what this operator made; read afresh. @throws TargetError */
  made(desired: D): Promise<ReadonlySet<string>>;
  /** In bounded time; what is gone already is no failure. @throws TargetError */
  remove(desired: D, names: readonly string[]): Promise<void>;
}
