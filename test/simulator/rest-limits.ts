// Requests by address: counted in a sliding window, refused beyond the limit, or banned by a test.

/** Windows remembered; beyond it all are forgotten. */
const windowsMax = 10_000;

export class RestLimits {
  #times = new Map<string, number[]>();
  #bannedUntilMs = new Map<string, number>();
  #everybodyBannedUntilMs = 0;

  /** Counts the request, unless it is refused. */
  admit(key: string, count: number, windowMs: number, nowMs: number): boolean {
    const recent = (this.#times.get(key) ?? []).filter((ms) => ms > nowMs - windowMs);
    if (recent.length >= count) return false;
    if (this.#times.size >= windowsMax) this.#times.clear();
    this.#times.set(key, [...recent, nowMs]);
    return true;
  }

  /** @param address undefined: all addresses */
  ban(address: string | undefined, untilMs: number): void {
    if (address === undefined) this.#everybodyBannedUntilMs = untilMs;
    else this.#bannedUntilMs.set(address, untilMs);
  }

  isBanned(address: string, nowMs: number): boolean {
    return nowMs < Math.max(this.#everybodyBannedUntilMs, this.#bannedUntilMs.get(address) ?? 0);
  }

  clear(): void {
    this.#times.clear();
    this.#bannedUntilMs.clear();
    this.#everybodyBannedUntilMs = 0;
  }
}
