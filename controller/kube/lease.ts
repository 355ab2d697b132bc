// Leader election by a Lease: of several processes one leads, and has stopped before another begins. The rules and the
// times are client-go's: https://pkg.go.dev/k8s.io/client-go/tools/leaderelection
import type { Logger } from '../../runtime/log.ts';
import { type Clock, sleep } from './clock.ts';
import { isConflict, isNotFound, KubeError } from './errors.ts';
import type { KubeMetrics } from './metrics.ts';
import { type KubeObject, type Resource, resourcePath } from './object.ts';
import { microTime } from './time.ts';
import type { Method, RequestOptions, Transport } from './transport.ts';

export interface LeaseOptions {
  transport: Transport;
  namespace: string;
  name: string;
  /** Of this process, and of no other one ever. */
  identity: string;
  clock: Clock;
  /** Only written down, for people: clocks of nodes differ, so nothing is decided by it. */
  wallClockMs: () => number;
  /** A number in [0, 1). */
  random: () => number;
  log: Pick<Logger, 'info' | 'warn'>;
  metrics?: Pick<KubeMetrics, 'leading'>;
}

export interface Election {
  /**
   * Resolves once this process leads; call it once.
   * @throws the reason of `signal`, once that is aborted
   */
  acquire(signal: AbortSignal): Promise<void>;
  /** Rejects with LeaseLostError when this process leads no longer: it must end at once. Never resolves. */
  readonly lost: Promise<never>;
  /** @throws LeaseLostError unless this process surely leads */
  check(): void;
  /** Lets another process lead at once. Call it when nothing is under way any more. Never rejects. */
  release(): Promise<void>;
}

/** For a process that has no rival: it leads from the start, and for ever. */
export const unopposed: Election = {
  acquire: async () => {},
  lost: new Promise(() => {}),
  check: () => {},
  release: async () => {},
};

export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
}

export interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  /** How often the holder changed. */
  leaseTransitions?: number;
}

export interface Lease extends KubeObject {
  spec?: LeaseSpec;
}

const leases: Resource = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases' };

// Others wait that long after the last change they saw.
const leaseSeconds = 15;
// The leader gives up after that time without a renewal: 5 s before others begin, for what it still has under way.
const renewMsMax = 10_000;
const retryMs = 2_000;
// Standbys ask every 2 to 4.4 s, not all at once.
const retryJitter = 1.2;
// Half of the time there is for a renewal: a connection that hangs leaves time for another.
const requestMsMax = 5_000;
const releaseMsMax = 3_000;

export function createElection(options: LeaseOptions): Election {
  const { transport, namespace, name, identity, clock, wallClockMs, random, log, metrics } = options;
  const location = { ...leases, namespace };
  /** As last read or written, and when another version of it was last seen, on our own clock. */
  let seen: Lease | null = null;
  let seenMs = 0;
  /** When the last successful renewal was sent; null: this process does not lead. */
  let renewedMs: number | null = null;
  let cancelDeadline = () => {};
  let renewing: Promise<void> = Promise.resolve();
  const stop = new AbortController();
  const lost = Promise.withResolvers<never>();
  // Whoever waits sees it; that nobody waits is no error.
  lost.promise.catch(() => {});
  metrics?.leading.set({ name }, 0);

  const isOurs = () => seen?.spec?.holderIdentity === identity;

  function note(lease: Lease | null): void {
    const holder = lease?.spec?.holderIdentity;
    const isNews = holder && holder !== identity && holder !== seen?.spec?.holderIdentity;
    if (isNews) log.info({ lease: name, holder }, 'another process leads');
    if (lease === null || lease.metadata.resourceVersion !== seen?.metadata.resourceVersion) seenMs = clock.nowMs();
    seen = lease;
  }

  async function look(signal: AbortSignal): Promise<void> {
    const reading = { signal, timeoutMs: requestMsMax };
    try {
      note(await transport.request<Lease>('GET', resourcePath({ ...location, name }), reading));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      note(null);
    }
  }

  /** Refused with 409 if anybody wrote since `seen` was read. */
  async function write(spec: LeaseSpec, signal: AbortSignal, timeoutMs = requestMsMax): Promise<void> {
    const fresh = { apiVersion: `${leases.group}/${leases.version}`, kind: 'Lease', metadata: { name, namespace } };
    const writing = { body: { ...(seen ?? fresh), spec }, signal, timeoutMs };
    const stored = seen
      ? await transport.request<Lease>('PUT', resourcePath({ ...location, name }), writing)
      : await transport.request<Lease>('POST', resourcePath(location), writing);
    note(stored);
  }

  /** Takes or renews the lease; false: somebody else has it. */
  async function attempt(signal: AbortSignal): Promise<boolean> {
    if (!isOurs()) await look(signal);
    // A second try with what the server has: the answer to our own last write may have been lost.
    for (let tries = 0; tries < 2; tries++) {
      const startMs = clock.nowMs();
      const spec = claim(seen?.spec ?? null, identity, startMs - seenMs, wallClockMs());
      if (spec === null) return false;
      try {
        await write(spec, signal);
        signal.throwIfAborted();
        renewedMs = startMs;
        return true;
      } catch (error) {
        if (!isStale(error)) throw error;
        await look(signal);
      }
    }
    return false;
  }

  function isOverdue(): boolean {
    return renewedMs === null || clock.nowMs() - renewedMs >= renewMsMax;
  }

  function lose(why: string): void {
    if (stop.signal.aborted) return;
    const error = new LeaseLostError(`the lease ${namespace}/${name} is lost: ${why}; this process ends`);
    renewedMs = null;
    cancelDeadline();
    metrics?.leading.set({ name }, 0);
    stop.abort(error);
    lost.reject(error);
  }

  function setDeadline(): void {
    cancelDeadline();
    const leftMs = Math.max(0, (renewedMs ?? 0) + renewMsMax - clock.nowMs());
    cancelDeadline = clock.setTimer(leftMs, () => lose(`not renewed for ${renewMsMax} ms`));
  }

  async function renew(): Promise<void> {
    while (!stop.signal.aborted) {
      await sleep(clock, retryMs, stop.signal);
      if (!stop.signal.aborted) await renewOnce();
    }
  }

  async function renewOnce(): Promise<void> {
    // A process that was paused wakes here, perhaps long after another has taken over.
    if (isOverdue()) return lose(`not renewed for ${renewMsMax} ms`);
    try {
      if (await attempt(stop.signal)) setDeadline();
      else if (seen !== null && !isOurs()) lose(`${seen.spec?.holderIdentity || 'nobody'} has it`);
    } catch (error) {
      if (!stop.signal.aborted) log.warn({ lease: name, error }, 'the lease could not be renewed');
    }
  }

  async function acquire(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      try {
        if ((await attempt(signal)) && !isOverdue()) break;
      } catch (error) {
        signal.throwIfAborted();
        log.warn({ lease: name, error }, 'the lease could not be asked for');
      }
      await sleep(clock, retryMs * (1 + retryJitter * random()), signal);
    }
    metrics?.leading.set({ name }, 1);
    log.info({ lease: name, identity }, 'this process leads');
    setDeadline();
    renewing = renew();
  }

  async function release(): Promise<void> {
    // Never after it was lost; but what was taken while `acquire` was given up is given back.
    if (stop.signal.aborted || !isOurs()) return;
    renewedMs = null;
    cancelDeadline();
    metrics?.leading.set({ name }, 0);
    stop.abort(new Error('the lease is released'));
    await renewing;
    const late = new AbortController();
    const cancel = clock.setTimer(releaseMsMax, () => late.abort(new Error(`no answer in ${releaseMsMax} ms`)));
    try {
      // The last renewal was perhaps cut short, and stored all the same.
      await look(late.signal);
      const renewTime = microTime(wallClockMs());
      const released = { ...seen?.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime };
      if (isOurs()) await write(released, late.signal, releaseMsMax);
    } catch (error) {
      log.warn({ lease: name, error }, `the lease could not be released: others wait ${leaseSeconds} s`);
    } finally {
      cancel();
    }
  }

  function check(): void {
    if (isOverdue()) throw new LeaseLostError(`the lease ${namespace}/${name} is not held`);
  }

  return { acquire, lost: lost.promise, check, release };
}

/**
 * The lease as `identity` may write it now; null: another holds it. A holder counts as gone when its lease has not
 * changed for its duration.
 * @param held null: there is no lease yet
 * @param unchangedMs how long this process has seen it as it is, on its own clock
 */
export function claim(held: LeaseSpec | null, identity: string, unchangedMs: number, wallMs: number): LeaseSpec | null {
  const { holderIdentity = '', leaseDurationSeconds = leaseSeconds, leaseTransitions = 0, acquireTime } = held ?? {};
  const isOurs = holderIdentity === identity;
  if (!isOurs && holderIdentity !== '' && unchangedMs < leaseDurationSeconds * 1_000) return null;
  const now = microTime(wallMs);
  return {
    holderIdentity: identity,
    leaseDurationSeconds: leaseSeconds,
    acquireTime: isOurs && acquireTime !== undefined ? acquireTime : now,
    renewTime: now,
    leaseTransitions: isOurs || held === null ? leaseTransitions : leaseTransitions + 1,
  };
}

/** Somebody wrote, created or deleted the lease since it was read. */
const isStale = (error: unknown): boolean =>
  isConflict(error) || isNotFound(error) || (error instanceof KubeError && error.reason === 'AlreadyExists');

/** The same transport, which refuses to write unless `check` lets it: what a paused leader has under way ends there. */
export function fenced(transport: Transport, check: Election['check']): Transport {
  return {
    ...transport,
    async request<T>(method: Method, path: string, requestOptions?: RequestOptions): Promise<T> {
      if (method !== 'GET') check();
      return transport.request<T>(method, path, requestOptions);
    },
  };
}
