import { describe, expect, test } from 'vitest';
import { fenced, type Lease, LeaseLostError } from '../../../controller/kube/lease.ts';
import { settled, stand } from './candidate.ts';
import { createLeaseServer, type LeaseServer } from './lease-server.ts';

const holderOf = ({ lease }: LeaseServer) => lease?.spec?.holderIdentity;

/** A lease as another process left it. */
function heldBy(holderIdentity: string, spec: Lease['spec'] = {}): Lease {
  const metadata = { name: 'k2', namespace: 'k2-system', resourceVersion: '0' };
  const held = { holderIdentity, leaseDurationSeconds: 15, leaseTransitions: 3, ...spec };
  return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec: held };
}

describe('a process that stands for election', () => {
  test('leads at once where there is no lease, and renews it every 2 s', async () => {
    const server = createLeaseServer();
    const a = stand(server, 'a');
    await a.acquired;
    expect(server.lease).toMatchObject({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'k2', namespace: 'k2-system' },
      spec: { leaseDurationSeconds: 15, leaseTransitions: 0, acquireTime: '2026-01-01T00:00:00.000000Z' },
    });
    await a.pass(6_000);
    expect(server.requests).toEqual(['GET', 'POST a', 'PUT a', 'PUT a', 'PUT a']);
    const spec = { acquireTime: '2026-01-01T00:00:00.000000Z', renewTime: '2026-01-01T00:00:06.000000Z' };
    expect(server.lease?.spec).toMatchObject(spec);
    expect(await a.registry.metrics()).toContain('leader_election_master_status{name="k2"} 1');
    expect(a.election.check).not.toThrow();
  });

  test.each([
    [0, 2_000],
    [0.999_999, 4_400],
  ])('asks at intervals with jitter %f while another leads', async (random, waitMs) => {
    const server = createLeaseServer();
    server.lease = heldBy('other');
    const a = stand(server, 'a', { random });
    await settled();
    expect(a.clock.timers().map(Math.ceil)).toEqual([waitMs]);
    expect(a.logged).toEqual(['another process leads']);
    expect(a.election.check).toThrow(LeaseLostError);
    expect(await a.registry.metrics()).toContain('leader_election_master_status{name="k2"} 0');
  });

  test('takes the lease 15 s after its last change, not sooner, by its own clock alone', async () => {
    const server = createLeaseServer();
    // By the wall clock of the one that stands by, this lease ran out ten years ago.
    server.lease = heldBy('other', { renewTime: '2016-01-01T00:00:00.000000Z' });
    const a = stand(server, 'a');
    await settled();
    await a.pass(14_900);
    expect(holderOf(server)).toBe('other');
    await a.pass(1_100);
    expect(a.leads()).toBe(true);
    expect(server.lease.spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 4 });
  });

  test('waits as long as the holder asked for, and for ever while it renews', async () => {
    const server = createLeaseServer();
    server.lease = heldBy('other', { leaseDurationSeconds: 40 });
    const a = stand(server, 'a');
    await settled();
    await a.pass(30_000);
    server.lease = { ...server.lease, metadata: { ...server.lease.metadata, resourceVersion: 'renewed' } };
    await a.pass(39_000);
    expect(holderOf(server)).toBe('other');
    await a.pass(4_000);
    expect(holderOf(server)).toBe('a');
  });

  test('loses nothing to a server that fails, and goes on asking', async () => {
    const server = createLeaseServer();
    const a = stand(server, 'a');
    a.line.is = 'failing';
    await a.pass(10_000);
    expect(a.leads()).toBe(false);
    a.line.is = 'up';
    await a.pass(2_000);
    expect(a.leads()).toBe(true);
  });

  test('gives up when its signal is aborted, and leaves no timer', async () => {
    const server = createLeaseServer();
    server.lease = heldBy('other');
    const a = stand(server, 'a');
    await settled();
    a.stop.abort(new Error('shutting down'));
    await expect(a.acquired).rejects.toThrow('shutting down');
    expect(a.clock.timers()).toEqual([]);
    await a.election.release();
    expect(holderOf(server)).toBe('other');
  });

  test('leads alone when two create the lease at once', async () => {
    const server = createLeaseServer();
    const [a, b] = [stand(server, 'a'), stand(server, 'b')];
    await settled();
    expect([a.leads(), b.leads()]).toEqual([true, false]);
  });
});

describe('a leader', () => {
  async function startLeader(identity = 'a') {
    const server = createLeaseServer();
    const leader = stand(server, identity);
    await leader.acquired;
    return { server, leader };
  }

  test.each(['failing', 'silent'] as const)(
    'is none any more 10 s after its last renewal, with a server that is %s',
    async (line) => {
      const { server, leader } = await startLeader();
      leader.line.is = line;
      await leader.pass(9_900);
      expect(leader.loss()).toBeNull();
      await leader.pass(100);
      expect(leader.loss()).toBeInstanceOf(LeaseLostError);
      expect(String(leader.loss())).toContain('not renewed for 10000 ms');
      expect(leader.election.check).toThrow(LeaseLostError);
      expect(await leader.registry.metrics()).toContain('leader_election_master_status{name="k2"} 0');
      const { length } = server.requests;
      leader.line.is = 'up';
      await leader.pass(10_000);
      await leader.election.release();
      expect(server.requests).toHaveLength(length);
      expect(leader.clock.timers()).toEqual([]);
    },
  );

  test('stays one when the answers to its renewals get lost for a while', async () => {
    const { server, leader } = await startLeader();
    leader.line.is = 'deaf';
    await leader.pass(5_000);
    leader.line.is = 'up';
    await leader.pass(20_000);
    expect(leader.loss()).toBeNull();
    expect(server.lease?.spec?.leaseTransitions).toBe(0);
  });

  test('that hangs once has time for another try', async () => {
    const { leader } = await startLeader();
    leader.line.is = 'silent';
    await leader.pass(3_000);
    leader.line.is = 'up';
    await leader.pass(20_000);
    expect(leader.loss()).toBeNull();
  });

  test('that was paused and wakes up is none, and sends nothing', async () => {
    const { server, leader } = await startLeader();
    const { length } = server.requests;
    leader.pause(60_000);
    expect(leader.election.check).toThrow(LeaseLostError);
    await leader.pass(2_000);
    expect(leader.loss()).toBeInstanceOf(LeaseLostError);
    expect(server.requests).toHaveLength(length);
  });

  test('is none as soon as it sees that another has the lease', async () => {
    const { server, leader } = await startLeader();
    server.lease = heldBy('other');
    await leader.pass(2_000);
    expect(String(leader.loss())).toContain('other has it');
    expect(holderOf(server)).toBe('other');
  });

  test('creates the lease again when somebody deletes it', async () => {
    const { server, leader } = await startLeader();
    server.lease = null;
    await leader.pass(2_000);
    expect(holderOf(server)).toBe('a');
    expect(leader.loss()).toBeNull();
  });

  test('stays one when somebody else annotates the lease, and keeps the annotation', async () => {
    const { server, leader } = await startLeader();
    const metadata = { name: 'k2', namespace: 'k2-system', annotations: { team: 'md' }, resourceVersion: 'annotated' };
    server.lease = { ...heldBy('a'), ...server.lease, metadata };
    await leader.pass(4_000);
    expect(server.lease.metadata.annotations).toEqual({ team: 'md' });
    expect(server.requests.slice(-3)).toEqual(['GET', 'PUT a', 'PUT a']);
  });

  test('that releases the lease lets another lead at its next try', async () => {
    const { server, leader } = await startLeader();
    const b = stand(server, 'b');
    await settled();
    await leader.election.release();
    expect(server.lease?.spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 0 });
    expect(leader.clock.timers()).toEqual([]);
    await b.pass(2_000);
    expect(b.leads()).toBe(true);
    expect(server.lease?.spec).toMatchObject({ holderIdentity: 'b', leaseDurationSeconds: 15, leaseTransitions: 1 });
    expect(leader.loss()).toBeNull();
  });

  test.each(['failing', 'silent'] as const)('that cannot release the lease ends all the same: %s', async (line) => {
    const { server, leader } = await startLeader();
    leader.line.is = line;
    const released = leader.election.release();
    await leader.pass(3_100);
    await released;
    expect(leader.logged.at(-1)).toBe('the lease could not be released: others wait 15 s');
    expect(holderOf(server)).toBe('a');
  });
});

test('a transport that is fenced reads always, and writes only while this process leads', async () => {
  const server = createLeaseServer();
  const a = stand(server, 'a');
  await a.acquired;
  const transport = fenced(a.transport, a.election.check);
  await transport.request('GET', '/');
  await expect(transport.request('PUT', '/', { body: server.lease })).resolves.toBeDefined();
  a.pause(10_000);
  await transport.request('GET', '/');
  await expect(transport.request('PUT', '/', { body: server.lease })).rejects.toThrow(LeaseLostError);
});
