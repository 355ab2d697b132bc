// Loaded before a program (`node --import`): its wall clock is wrong by K2_TEST_CLOCK_SKEW_MS, its monotonic clock is
// not.
const skewMs = Number(process.env.K2_TEST_CLOCK_SKEW_MS);
const TrueDate = Date;

class SkewedDate extends TrueDate {
  constructor(...given: [] | [number | string | Date]) {
    super(...((given.length === 0 ? [SkewedDate.now()] : given) as [number]));
  }

  static override now(): number {
    return TrueDate.now() + skewMs;
  }
}

globalThis.Date = SkewedDate as DateConstructor;
