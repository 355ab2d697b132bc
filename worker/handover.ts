// The life of a worker that writes each trade once: a standby, which takes over, is the owner, and is a standby again
// once another has taken over from it; at the end it releases. The one file that does this, in this order:
// ownership.ts decides what comes next, and the broker who may write.
import { setTimeout as sleep } from 'node:timers/promises';
import { type BackoffLimits, backoffDelayMs } from '../runtime/backoff.ts';
import type { Logger } from '../runtime/log.ts';
import type { CursorLog } from './cursor-log.ts';
import type { OwnerRecord, View } from './cursor-records.ts';
import type { Feed } from './feed.ts';
import type { Metrics } from './metrics.ts';
import * as ownership from './ownership.ts';
import type { TransactionalProducer } from './producer/transactional-producer.ts';
import { messageOf, sleep as sleepUntil } from './retry.ts';
import type { Part, Status } from './status.ts';
import type { Written } from './symbols.ts';

/** The producer asks for what is to be attached so often at least; the sign of life goes along before it is late. */
export const quietMsMax = 1000;

/** A claim or a release that is not committed by then: the broker answers within milliseconds, or is away. */
const commitMsMax = 10_000;

/** To finish a claim that was begun before SIGTERM: given up half way, it would leave a shard that looks owned. */
const claimMsMax = 2000;

/** Between attempts to take over that failed. */
const failureLimits: BackoffLimits = { delayMsBase: 500, delayMsMax: 10_000 };

export interface HandoverOptions {
  claimant: ownership.Claimant;
  transactionalIdOf: (shard: number) => string;
  cursorLog: Pick<CursorLog, 'view' | 'catchUp' | 'changed'>;
  producer: Pick<TransactionalProducer, 'claim' | 'resign' | 'fence' | 'flush'>;
  /** Where each symbol continues. */
  resume: (view: View) => Promise<Written>;
  report: (part: Part, problem: string | null) => void;
  status: Status;
  metrics: Metrics;
  log: Logger;
  /** Milliseconds from any fixed point, never backwards. */
  monotonicMs: () => number;
  /** A number in [0, 1). */
  random: () => number;
}

export type HandoverFeed = Pick<Feed, 'subscribed' | 'takeOver' | 'standBy'>;

export class Handover {
  readonly #options: HandoverOptions;
  #feed: HandoverFeed | null = null;
  #ownership = ownership.standby;
  /** Why it took over, and when it decided to. */
  #taken: { reason: ownership.TakeReason; startedMs: number } = { reason: 'free', startedMs: 0 };
  #fenced = Promise.withResolvers<void>();
  #aborted = new Promise<void>(() => {});
  /** What goes along with the next transaction, whenever the last sign of life was. */
  #due: OwnerRecord['state'] | null = null;
  #signedMs = 0;

  constructor(options: HandoverOptions) {
    this.#options = options;
  }

  /** Until the signal is aborted; whether this worker is the owner then, drain() knows. The log must be caught up. */
  async run(feed: HandoverFeed, signal: AbortSignal): Promise<void> {
    const { report, random } = this.#options;
    this.#feed = feed;
    this.#aborted = new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    // An owner that reads nothing would keep the shard from one that does.
    await Promise.race([feed.subscribed(), this.#aborted]);
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#step(signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        report('take-over', `cannot take over: ${messageOf(error)}`);
        await this.#yield();
        await sleepUntil(backoffDelayMs(++failures, failureLimits, random()), signal);
      }
    }
  }

  /** The owner record, where it is due with the transaction that is being cut now. */
  sign(): OwnerRecord | null {
    const { claimant, cursorLog, monotonicMs } = this.#options;
    const { kind } = this.#ownership;
    const nowMs = monotonicMs();
    const isLate = nowMs - this.#signedMs >= ownership.signOfLifeMs - quietMsMax;
    const due = this.#due ?? (isLate && (kind === 'taking' || kind === 'owner') ? 'owning' : null);
    if (due === null) return null;
    this.#due = null;
    this.#signedMs = nowMs;
    return ownership.ownerRecordOf(this.#ownership, claimant, due, cursorLog.view());
  }

  /** The transactional id is lost: what was not committed is for its new owner to write. */
  onFenced(why: string): void {
    const { claimant, cursorLog, status, metrics, log, report } = this.#options;
    this.#ownership = ownership.fencedOff(this.#ownership, cursorLog.view());
    this.#due = null;
    this.#feed?.standBy();
    metrics.fenced.inc();
    status.setStandby(why);
    report('producer', null);
    log.warn({ shard: claimant.shard, why }, 'another worker has taken over: this one is a standby and writes nothing');
    this.#fenced.resolve();
  }

  /**
   * Writes what is left, and that the shard is free. To be called once nothing is appended any more.
   * @returns how many records are not written
   */
  async drain(waitMsMax: number): Promise<number> {
    const { claimant, producer, log, monotonicMs } = this.#options;
    const { kind } = this.#ownership;
    if (kind !== 'owner' && kind !== 'taking') return 0;
    const startedMs = monotonicMs();
    this.#ownership = ownership.releasing(this.#ownership);
    this.#due = 'released';
    const unwritten = await producer.flush(waitMsMax);
    const isLate = monotonicMs() - startedMs >= waitMsMax;
    if (isLate) log.warn({ shard: claimant.shard }, 'the shard is not released: a standby takes over after 15 s');
    else log.info({ shard: claimant.shard }, 'released the shard: a standby may take over');
    return unwritten;
  }

  /** How long the owner was not heard, milliseconds; 0 for itself, and where there is none. */
  ownerSilenceMs(): number {
    const { claimant, cursorLog } = this.#options;
    const { owners, clockMs } = cursorLog.view();
    const owner = owners.get(claimant.shard);
    return this.#ownership.kind !== 'owner' && owner?.state === 'owning' ? clockMs - owner.heardMs : 0;
  }

  async #step(signal: AbortSignal): Promise<void> {
    const { claimant, cursorLog, status, log, report } = this.#options;
    const decision = ownership.decide(this.#ownership, claimant, cursorLog.view());
    switch (decision.kind) {
      case 'wait':
        report('take-over', null);
        if (status.setStandby(decision.why)) log.info({ shard: claimant.shard }, `standby: ${decision.why}`);
        return cursorLog.changed(decision.lookAgainMs, signal);
      case 'fence':
        log.warn({ shard: decision.shard }, `fences another shard: ${decision.why}`);
        return this.#fence(decision.shard, signal);
      case 'take':
        log.info({ shard: claimant.shard }, `takes over: ${decision.why}`);
        return this.#take(decision.reason, signal);
      case 'yield':
        log.info({ shard: claimant.shard }, `gives its claim up: ${decision.why}`);
        return this.#yield();
      case 'write':
        return this.#write(signal);
    }
  }

  async #fence(shard: number, signal: AbortSignal): Promise<void> {
    const { cursorLog, producer, transactionalIdOf } = this.#options;
    // As of what was decided by: a record that comes meanwhile is looked at by the next decision.
    const next = ownership.fencedOther(this.#ownership, shard, cursorLog.view());
    await producer.fence(transactionalIdOf(shard));
    this.#ownership = next;
    await cursorLog.catchUp(signal);
  }

  /** From here on the broker refuses the predecessor's writes. */
  async #take(reason: ownership.TakeReason, signal: AbortSignal): Promise<void> {
    const { claimant, cursorLog, producer, monotonicMs } = this.#options;
    this.#taken = { reason, startedMs: monotonicMs() };
    this.#fenced = Promise.withResolvers();
    await Promise.race([producer.claim(), this.#aborted.then(() => sleep(claimMsMax))]);
    const taken = ownership.taking(this.#ownership, claimant, cursorLog.view());
    this.#ownership = taken;
    // What the predecessor committed until now is no claim of ours, though it may have the same instance.
    await cursorLog.catchUp(signal);
    if (this.#ownership !== taken) return;
    this.#ownership = ownership.taking(taken, claimant, cursorLog.view());
    this.#due = 'owning';
    await producer.flush(commitMsMax);
    await cursorLog.catchUp(signal);
  }

  async #write(signal: AbortSignal): Promise<void> {
    const { claimant, cursorLog, resume, report, status, metrics, log, monotonicMs } = this.#options;
    const written = await resume(cursorLog.view());
    if (this.#ownership.kind !== 'taking' || signal.aborted) return;
    this.#ownership = ownership.writing(this.#ownership);
    status.setOwner();
    report('producer', null);
    report('take-over', null);
    this.#feed?.takeOver(written);
    const tookMs = monotonicMs() - this.#taken.startedMs;
    metrics.takeOvers.inc({ reason: this.#taken.reason });
    metrics.takeOver.observe(tookMs / 1000);
    log.info(
      { shard: claimant.shard, symbols: written.size, tookMs },
      'took over: this worker is the owner and writes',
    );
    await Promise.race([this.#fenced.promise, this.#aborted]);
  }

  /** A claim leaves nothing behind that looks owned. */
  async #yield(): Promise<void> {
    const { producer } = this.#options;
    if (this.#ownership.kind !== 'taking') return;
    this.#due = 'released';
    await producer.flush(commitMsMax);
    producer.resign();
    this.#ownership = ownership.yielded(this.#ownership);
  }
}
