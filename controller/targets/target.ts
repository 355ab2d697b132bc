// The contract of a target: an outside thing that is brought to the desired state. Dumb doing: it observes and applies;
// what is to be done, and what must not be, is decided in plan.ts.

/**
 * @typeParam D what is desired
 * @typeParam O what is observed
 * @typeParam A what can be done
 */
export interface Target<D, O, A> {
  /** Reads the present state of what is desired, in few requests and bounded time. @throws TargetError */
  observe(desired: D): Promise<O>;
  /** Does one action, in bounded time; doing it twice is harmless. @throws TargetError */
  apply(desired: D, action: A): Promise<void>;
}
