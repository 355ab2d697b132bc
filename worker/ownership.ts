// Who of several workers may write a shard: what this one does next, decided from what the cursor topic says. Pure.
// The broker alone decides who can write; this decides when to try. docs/decisions/0009-ownership.md shows why two
// workers never take a shard from each other in turns.
import type { Owner, OwnerRecord, View } from './cursor-records.ts';

/** Three signs of life of the owner, which come at least every 5 s, are missing. */
export const silenceMsMax = 15_000;

/** An owner's record is due again after this time, quiet market or not. */
export const signOfLifeMs = 5000;

/** Silence is looked at again no sooner: the clock of the view moves in such steps. */
const lookAgainMsMin = 250;

/** Which shard a worker is for, and which symbols it writes then. */
export interface Claimant {
  shard: number;
  /** Nobody else's, and the same after a restart. */
  instance: string;
  symbols: readonly string[];
}

/**
 * - standby: reads, and writes nothing.
 * - taking: has the transactional id; writes its claim and its signs of life, and no trade yet.
 * - owner: writes.
 * - fenced: another took the id; a standby again that trusts only what was said since.
 * - releasing: writes its last; only the end of the process follows.
 */
export interface Ownership {
  kind: 'standby' | 'taking' | 'owner' | 'fenced' | 'releasing';
  /** Offset of the shard's owner record that led to the last take-over, -1n: none. A release is good for one. */
  usedOffset: bigint;
  /** The view's clock when it was fenced. */
  fencedMs: number | null;
  /** Other shards whose transactional id was taken, as of the offset of their owner record. */
  fenced: ReadonlyMap<number, bigint>;
}

/** Why a shard may be taken over: a closed set, because it is a metric's label. */
export type TakeReason = 'free' | 'released' | 'restart' | 'silence';

export type Decision =
  | { kind: 'wait'; why: string; lookAgainMs: number }
  /** Take the transactional id of another shard, catch up with the log, and decide again. */
  | { kind: 'fence'; shard: number; why: string }
  /** Take the own transactional id, commit the claim, catch up with the log, and decide again. */
  | { kind: 'take'; reason: TakeReason; why: string }
  /** Every symbol is free: resume from the cursors, and write. */
  | { kind: 'write' }
  /** Commit a release, and stand by: another shard, whose claim goes first, has some of the symbols. */
  | { kind: 'yield'; why: string };

export const standby: Ownership = { kind: 'standby', usedOffset: -1n, fencedMs: null, fenced: new Map() };

/** @param view caught up with the log; when taking, since the claim was committed */
export function decide(ownership: Ownership, claimant: Claimant, view: View): Decision {
  if (ownership.kind === 'owner' || ownership.kind === 'releasing') return wait('it owns the shard', silenceMsMax);
  const own = ownership.kind === 'taking' ? ownClaim(ownership, claimant, view) : mayTake(ownership, claimant, view);
  if (own.kind === 'wait') return own;
  for (const [shard, owner] of view.owners) {
    if (shard === claimant.shard || owner.state === 'released' || isFenced(shard, owner, ownership, view)) continue;
    const shared = owner.symbols.find((symbol) => claimant.symbols.includes(symbol));
    if (shared === undefined) continue;
    const leftMs = silenceMsMax - (view.clockMs - owner.heardMs);
    const why = `shard ${shard} (${owner.instance}) writes ${shared}`;
    if (leftMs <= 0) return { kind: 'fence', shard, why: `${why}, and was silent for ${silenceMsMax / 1000} s` };
    if (ownership.kind === 'taking' && shard < claimant.shard) return { kind: 'yield', why };
    return wait(why, leftMs);
  }
  return own;
}

/** The transactional id is about to be taken, as decided by this view. */
export function taking(ownership: Ownership, { shard }: Claimant, view: View): Ownership {
  const usedOffset = view.owners.get(shard)?.offset ?? -1n;
  return { ...ownership, kind: 'taking', usedOffset };
}

/** The other shard's transactional id was taken, as decided by this view. */
export function fencedOther(ownership: Ownership, shard: number, view: View): Ownership {
  const offset = view.owners.get(shard)?.offset ?? -1n;
  return { ...ownership, fenced: new Map(ownership.fenced).set(shard, offset) };
}

export function writing(ownership: Ownership): Ownership {
  return { ...ownership, kind: 'owner', fencedMs: null };
}

export function fencedOff(ownership: Ownership, view: View): Ownership {
  return { ...ownership, kind: 'fenced', fencedMs: view.clockMs };
}

/** The release that leads back to standby was committed. */
export function yielded(ownership: Ownership): Ownership {
  return { ...ownership, kind: 'standby' };
}

export function releasing(ownership: Ownership): Ownership {
  return { ...ownership, kind: 'releasing' };
}

/** What the claim, a sign of life, or a release says; with whom this worker and those before it have fenced. */
export function ownerRecordOf(
  ownership: Ownership,
  claimant: Claimant,
  state: OwnerRecord['state'],
  view: View,
): OwnerRecord {
  const { shard: own, instance, symbols } = claimant;
  const fenced = new Map<number, bigint>();
  for (const [shard, owner] of view.owners) {
    if (shard !== own && owner.state === 'owning' && isFenced(shard, owner, ownership, view)) {
      fenced.set(shard, owner.offset);
    }
  }
  return { instance, state, symbols, fenced };
}

function mayTake({ kind, usedOffset, fencedMs }: Ownership, claimant: Claimant, view: View): Decision {
  const owner = view.owners.get(claimant.shard);
  const isFencedOff = kind === 'fenced';
  if (owner === undefined && !isFencedOff) return take('free', 'nobody ever owned it');
  if (owner?.state === 'released' && owner.offset > usedOffset)
    return take('released', `${owner.instance} released it`);
  if (owner?.instance === claimant.instance && !isFencedOff) {
    return take('restart', 'this worker itself owned it before a restart');
  }
  const since = Math.max(owner?.heardMs ?? 0, fencedMs ?? 0);
  const leftMs = silenceMsMax - (view.clockMs - since);
  const who = owner?.instance ?? 'its new owner';
  if (leftMs > 0) return wait(`${who} owns it`, leftMs);
  return take('silence', `${who} was silent for ${silenceMsMax / 1000} s`);
}

/** Only a record that came since is the claim; the same worker may have owned the shard before a restart. */
function ownClaim({ usedOffset }: Ownership, { shard, instance }: Claimant, view: View): Decision {
  const owner = view.owners.get(shard);
  const isOwn = owner?.instance === instance && owner.state === 'owning' && owner.offset > usedOffset;
  if (isOwn) return { kind: 'write' };
  return wait(`the claim is not in the log, which has ${owner?.instance ?? 'nobody'}`, lookAgainMsMin);
}

function isFenced(shard: number, { offset }: Owner, { fenced }: Ownership, { owners }: View): boolean {
  const told = [fenced, ...[...owners.values()].map((owner) => owner.fenced)];
  return told.some((byShard) => (byShard.get(shard) ?? -1n) >= offset);
}

const take = (reason: TakeReason, why: string): Decision => ({ kind: 'take', reason, why });

function wait(why: string, lookAgainMs: number): Decision {
  return { kind: 'wait', why, lookAgainMs: Math.max(lookAgainMs, lookAgainMsMin) };
}
