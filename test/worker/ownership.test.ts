import { describe, expect, test } from 'vitest';
import type { Owner, View } from '../../worker/cursor-records.ts';
import {
  type Claimant,
  decide,
  fencedOff,
  fencedOther,
  type Ownership,
  ownerRecordOf,
  silenceMsMax,
  standby,
  taking,
  writing,
} from '../../worker/ownership.ts';

const none = new Map<number, bigint>();
const me: Claimant = { shard: 0, instance: 'me', symbols: ['A', 'B'] };
const owner = (part: Partial<Owner> = {}): Owner => {
  return { instance: 'other', state: 'owning', symbols: ['A', 'B'], fenced: none, offset: 7n, heardMs: 0, ...part };
};
const viewOf = (owners: Record<number, Owner>, clockMs = 1000): View => {
  return {
    owners: new Map(Object.entries(owners).map(([shard, one]) => [Number(shard), one])),
    cursors: new Map(),
    clockMs,
  };
};

describe('a standby takes its shard', () => {
  test('when nobody ever owned it', () => {
    expect(decide(standby, me, viewOf({}))).toEqual({ kind: 'take', why: 'nobody ever owned it', reason: 'free' });
  });

  test('when its owner released it', () => {
    expect(decide(standby, me, viewOf({ 0: owner({ state: 'released' }) })).kind).toBe('take');
  });

  test('when it owned it itself before a restart', () => {
    expect(decide(standby, me, viewOf({ 0: owner({ instance: 'me' }) })).kind).toBe('take');
  });

  test('after 15 s of silence, and looks again when they are over', () => {
    const heard = owner({ heardMs: 2000 });
    expect(decide(standby, me, viewOf({ 0: heard }, 5000))).toEqual({
      kind: 'wait',
      why: 'other owns it',
      lookAgainMs: 12_000,
    });
    expect(decide(standby, me, viewOf({ 0: heard }, 2000 + silenceMsMax - 1))).toMatchObject({ kind: 'wait' });
    expect(decide(standby, me, viewOf({ 0: heard }, 2000 + silenceMsMax)).kind).toBe('take');
  });
});

describe('a worker that was fenced', () => {
  const released = viewOf({ 0: owner({ state: 'released' }) });
  const fenced = fencedOff(taking(standby, me, released), released);

  test('does not take it again for the release that led to its last take-over', () => {
    expect(decide(fenced, me, released)).toMatchObject({ kind: 'wait' });
  });

  test('takes it for a release that came since', () => {
    expect(decide(fenced, me, viewOf({ 0: owner({ state: 'released', offset: 8n }) })).kind).toBe('take');
  });

  test('does not take it as its own, nor where nobody has claimed it yet', () => {
    expect(decide(fenced, me, viewOf({ 0: owner({ instance: 'me', heardMs: 1000 }) })).kind).toBe('wait');
    expect(decide(fenced, me, viewOf({})).kind).toBe('wait');
  });

  test('takes it after 15 s in which nobody was heard, counted from the fencing', () => {
    expect(decide(fenced, me, viewOf({}, 1000 + silenceMsMax - 1)).kind).toBe('wait');
    expect(decide(fenced, me, viewOf({}, 1000 + silenceMsMax)).kind).toBe('take');
    expect(decide(fenced, me, viewOf({ 0: owner({ heardMs: 9000 }) }, 1000 + silenceMsMax)).kind).toBe('wait');
  });
});

describe('a symbol that another shard has', () => {
  const free = owner({ state: 'released' });

  test('is waited for while its owner lives, and fenced off once it was silent', () => {
    const owners = { 0: free, 1: owner({ symbols: ['B', 'C'] }) };
    expect(decide(standby, me, viewOf(owners))).toMatchObject({ kind: 'wait', why: 'shard 1 (other) writes B' });
    expect(decide(standby, me, viewOf(owners, silenceMsMax))).toMatchObject({ kind: 'fence', shard: 1 });
  });

  test('is free once that shard is fenced, as of the record that was seen, and whoever fenced it', () => {
    const view = viewOf({ 0: free, 1: owner() }, silenceMsMax);
    const ownership = fencedOther(standby, 1, view);
    expect(decide(ownership, me, view).kind).toBe('take');
    const claimedAgain = viewOf({ 0: free, 1: owner({ offset: 8n, heardMs: silenceMsMax }) }, silenceMsMax);
    expect(decide(ownership, me, claimedAgain).kind).toBe('wait');
    const { fenced } = ownerRecordOf(ownership, me, 'owning', view);
    expect(fenced).toEqual(new Map([[1, 7n]]));
    expect(decide(standby, me, viewOf({ 0: owner({ instance: 'me', fenced }), 1: owner() })).kind).toBe('take');
  });

  test('is free where that shard has other symbols, or released', () => {
    expect(decide(standby, me, viewOf({ 0: free, 1: owner({ symbols: ['C'] }) })).kind).toBe('take');
    expect(decide(standby, me, viewOf({ 0: free, 1: free })).kind).toBe('take');
  });
});

describe('a worker that has claimed its shard', () => {
  const claimed = owner({ instance: 'me', offset: 9n });
  const claiming = (shard: number): [Ownership, Claimant] => {
    return [taking(standby, { ...me, shard }, viewOf({})), { ...me, shard }];
  };

  test('writes once the log has its claim, and no other shard has a symbol of it', () => {
    expect(decide(...claiming(0), viewOf({ 0: claimed }))).toEqual({ kind: 'write' });
    expect(decide(...claiming(0), viewOf({ 0: owner() })).kind).toBe('wait');
    const [ownership, claimant] = claiming(0);
    const beforeRestart = viewOf({ 0: { ...claimed, offset: 8n } });
    expect(decide(taking(ownership, claimant, beforeRestart), claimant, beforeRestart).kind).toBe('wait');
  });

  test('waits for a greater shard that has one, and yields to a lesser', () => {
    expect(decide(...claiming(0), viewOf({ 0: claimed, 1: owner() })).kind).toBe('wait');
    expect(decide(...claiming(2), viewOf({ 2: claimed, 1: owner() })).kind).toBe('yield');
  });

  test('and writes has nothing to decide any more', () => {
    expect(decide(writing(standby), me, viewOf({})).kind).toBe('wait');
  });
});
