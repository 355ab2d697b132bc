// Request weight by address: counted per minute of the clock, refused with 429 beyond the limit, banned with 418 for
// going on.
// https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md#ip-limits
import type { Settings } from '../settings.ts';

const banMsMin = 120_000;
const banMsMax = 3 * 86_400_000;
/** Addresses remembered; the oldest is forgotten beyond it. */
const addressesMax = 10_000;

export type Verdict =
  | { kind: 'admitted'; usedWeight: number }
  | { kind: 'limited'; usedWeight: number; retryAfterSeconds: number }
  | { kind: 'banned'; usedWeight: number; retryAfterSeconds: number; untilMs: number };

interface Account {
  minute: number;
  weight: number;
  refusals: number;
  bans: number;
  bannedUntilMs: number;
}

export class Weights {
  #accounts = new Map<string, Account>();
  #everybodyBannedUntilMs = 0;

  charge(address: string, weight: number, nowMs: number, settings: Settings): Verdict {
    const account = this.#account(address, nowMs);
    const banned = this.#ban(account, nowMs);
    if (banned) return banned;
    account.weight += weight;
    const usedWeight = account.weight;
    if (usedWeight <= settings.weightPerMinuteMax) return { kind: 'admitted', usedWeight };
    account.refusals++;
    if (account.refusals > settings.refusalsBeforeBan) {
      account.bannedUntilMs = nowMs + Math.min(banMsMax, banMsMin * 2 ** account.bans);
      account.bans++;
      account.refusals = 0;
    }
    const retryAfterSeconds = Math.ceil(((account.minute + 1) * 60_000 - nowMs) / 1000);
    return this.#ban(account, nowMs) ?? { kind: 'limited', usedWeight, retryAfterSeconds };
  }

  /** @param address undefined: all addresses */
  ban(address: string | undefined, untilMs: number, nowMs: number): void {
    if (address === undefined) this.#everybodyBannedUntilMs = untilMs;
    else this.#account(address, nowMs).bannedUntilMs = untilMs;
  }

  clear(): void {
    this.#accounts.clear();
    this.#everybodyBannedUntilMs = 0;
  }

  #ban(account: Account, nowMs: number): Verdict | null {
    const untilMs = Math.max(account.bannedUntilMs, this.#everybodyBannedUntilMs);
    if (untilMs <= nowMs) return null;
    const retryAfterSeconds = Math.ceil((untilMs - nowMs) / 1000);
    return { kind: 'banned', usedWeight: account.weight, retryAfterSeconds, untilMs };
  }

  #account(address: string, nowMs: number): Account {
    const minute = Math.floor(nowMs / 60_000);
    let account = this.#accounts.get(address);
    if (!account) {
      if (this.#accounts.size === addressesMax) this.#accounts.delete(this.#accounts.keys().next().value ?? '');
      account = { minute, weight: 0, refusals: 0, bans: 0, bannedUntilMs: 0 };
      this.#accounts.set(address, account);
    }
    if (account.minute !== minute) Object.assign(account, { minute, weight: 0, refusals: 0 });
    return account;
  }
}
