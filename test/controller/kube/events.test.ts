import { pino } from 'pino';
import { Registry } from 'prom-client';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createEventWriter, type EventNote } from '../../../controller/kube/events.ts';
import { createKubeMetrics } from '../../../controller/kube/metrics.ts';
import { createFakeClock } from './fake-clock.ts';
import { type Call, configMap, startStub, status, transportTo } from './stub-api-server.ts';

const path = '/apis/events.k8s.io/v1/namespaces/shop/events';
const object = configMap('a', '5');
const brokerAway: EventNote = {
  type: 'Warning',
  reason: 'BrokerAway',
  note: 'connection refused',
  action: 'Reconcile',
};

const answerAlways = (call: Call) => call.json(201, {});

// A busy machine's time for what takes an idle one milliseconds.
const waiting = { interval: 5, timeout: 10_000 };

/** A writer that runs, on a clock that the test moves. */
async function startWriter(answer: (call: Call, index: number) => void = answerAlways) {
  const stub = await startStub(answer);
  const clock = createFakeClock();
  const registry = new Registry();
  const logged: string[] = [];
  const writer = createEventWriter({
    transport: transportTo(stub),
    controller: 'shop.example/controller',
    instance: 'controller-0',
    clock,
    wallClockMs: () => Date.UTC(2026, 0) + clock.nowMs(),
    random: () => 0,
    log: pino({ level: 'info' }, { write: (line: string) => void logged.push(JSON.parse(line).msg) }),
    metrics: createKubeMetrics(registry),
  });
  const stop = new AbortController();
  const ended = writer.run(stop.signal);
  const end = async () => {
    stop.abort(new Error('shutting down'));
    await ended;
  };
  onTestFinished(end);
  /** The body of request number `index`. */
  const body = async (index: number) => JSON.parse((await stub.call(index)).body);
  const counted = async (result: string, count: number) =>
    vi.waitFor(async () => {
      const text = await registry.metrics();
      expect(text.includes(`event_recorder_events_total{result="${result}"} ${count}\n`)).toBe(true);
    }, waiting);
  return { stub, clock, logged, record: writer.record, end, body, counted };
}

describe('an event', () => {
  test('is written with all that the API asks for', async () => {
    const { stub, record, body } = await startWriter();
    record(object, brokerAway);
    expect(await stub.call(0)).toMatchObject({ method: 'POST', path });
    expect(await body(0)).toEqual({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: expect.stringMatching(/^a\.[0-9a-f]+$/), namespace: 'shop' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      ...brokerAway,
      regarding: { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'shop', name: 'a', uid: 'uid-a' },
      reportingController: 'shop.example/controller',
      reportingInstance: 'controller-0',
    });
  });

  test('that comes again is counted in the one that is there, at most once a minute', async () => {
    const { stub, clock, record, body, counted } = await startWriter();
    record(object, brokerAway);
    await counted('written', 1);
    for (let i = 0; i < 5; i++) {
      clock.advance(10_000);
      record(object, brokerAway);
    }
    expect(stub.calls).toHaveLength(1);
    clock.advance(10_000);
    const { metadata } = await body(0);
    expect(await stub.call(1)).toMatchObject({ method: 'PATCH', path: `${path}/${metadata.name}` });
    expect((await stub.call(1)).headers['content-type']).toBe('application/merge-patch+json');
    expect(await body(1)).toEqual({ series: { count: 6, lastObservedTime: '2026-01-01T00:00:50.000000Z' } });
  });

  test('that comes again before it is written is one with its count', async () => {
    const { stub, record, body, end } = await startWriter();
    for (let i = 0; i < 3; i++) record(object, { ...brokerAway, reason: 'Other' });
    for (let i = 0; i < 3; i++) record(object, brokerAway);
    await end();
    expect(stub.calls).toHaveLength(2);
    expect(await body(1)).toMatchObject({ reason: 'BrokerAway', series: { count: 3 } });
  });

  test('that comes again after six minutes is a new one, and so is one with other words', async () => {
    const { stub, clock, record, body, counted } = await startWriter();
    record(object, brokerAway);
    await counted('written', 1);
    clock.advance(360_000);
    record(object, brokerAway);
    await counted('written', 2);
    record(object, { ...brokerAway, note: 'unknown host' });
    await counted('written', 3);
    expect(stub.calls.map(({ method }) => method)).toEqual(['POST', 'POST', 'POST']);
    const names = await Promise.all([0, 1, 2].map(async (index) => (await body(index)).metadata.name));
    expect(new Set(names).size).toBe(3);
  });

  test('goes on in a new one when the cluster has deleted the old one', async () => {
    const { stub, clock, record, body, counted } = await startWriter((call) =>
      call.method === 'PATCH' ? call.json(404, status(404, 'NotFound', 'not found')) : call.json(201, {}),
    );
    record(object, brokerAway);
    await counted('written', 1);
    record(object, brokerAway);
    clock.advance(60_000);
    await stub.call(1);
    clock.advance(await clock.timer(5_000));
    expect(await stub.call(2)).toMatchObject({ method: 'POST', path });
    expect((await body(2)).metadata.name).not.toBe((await body(0)).metadata.name);
    expect(await body(2)).not.toHaveProperty('series');
  });

  test('has at most 1,024 bytes of words, cut between characters', async () => {
    const { record, body } = await startWriter();
    record(object, { ...brokerAway, note: 'ü'.repeat(600) });
    const { note } = await body(0);
    expect(note).toMatch(/^ü+…$/);
    expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1_024);
    expect(Buffer.byteLength(note)).toBeGreaterThan(1_000);
  });

  test('does not tell the password of a URL', async () => {
    const { record, body } = await startWriter();
    record(object, { ...brokerAway, note: 'GET https://me:s3cret@registry:8081/subjects: refused' });
    expect((await body(0)).note).toBe('GET https://***@registry:8081/subjects: refused');
  });

  test('has a name that fits, whatever the name of its object', async () => {
    const { record, body } = await startWriter();
    record(configMap(`${'a'.repeat(236)}.${'b'.repeat(16)}`, '1'), brokerAway);
    const { name } = (await body(0)).metadata;
    expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
    expect(name.length).toBeLessThanOrEqual(253);
  });
});

describe('the recorder', () => {
  test('writes again what the server did not take, and counts no event twice', async () => {
    const { stub, clock, record, counted, body } = await startWriter((call, index) => {
      if (index === 0) call.json(500, status(500, 'InternalError', 'etcd'));
      else if (index === 1) call.json(409, status(409, 'AlreadyExists', 'it was stored'));
      else call.json(201, {});
    });
    record(object, brokerAway);
    await stub.call(0);
    clock.advance(await clock.timer(5_000));
    await counted('written', 1);
    expect((await body(1)).metadata.name).toBe((await body(0)).metadata.name);
    expect(stub.calls).toHaveLength(2);
  });

  test('gives up what the server refuses, at once, and what it cannot take, after six tries', async () => {
    const { stub, clock, record, counted, logged } = await startWriter((call) =>
      call.body.includes('Forbidden')
        ? call.json(403, status(403, 'Forbidden', 'the namespace is being terminated'))
        : call.json(500, status(500, 'InternalError', 'etcd')),
    );
    record(object, { ...brokerAway, reason: 'Forbidden' });
    await counted('failed', 1);
    record(object, brokerAway);
    for (let tries = 1; tries < 6; tries++) {
      await stub.call(tries);
      clock.advance(await clock.timer());
    }
    await counted('failed', 2);
    expect(stub.calls).toHaveLength(7);
    expect(logged).toEqual(['an event could not be written', 'an event could not be written']);
  });

  test('drops what one object has too much of, not what others have', async () => {
    const { stub, clock, record, counted } = await startWriter();
    for (let i = 0; i < 40; i++) record(object, { ...brokerAway, note: `try ${i}` });
    record(configMap('b', '1'), brokerAway);
    await counted('dropped', 15);
    await counted('written', 26);
    clock.advance(300_000);
    record(object, { ...brokerAway, note: 'five minutes later' });
    await counted('written', 27);
    expect(stub.calls).toHaveLength(27);
  });

  test('writes fifty at once and then ten a second', async () => {
    const { clock, record, counted } = await startWriter();
    for (let i = 0; i < 70; i++) record(configMap(`object-${i}`, '1'), brokerAway);
    await counted('written', 50);
    for (let written = 50; written < 70; written++) {
      expect(await clock.timer(1_000)).toBe(100);
      clock.advance(100);
      await counted('written', written + 1);
    }
  });

  test('writes at the end what is still to be written', async () => {
    const { stub, record, end, clock } = await startWriter();
    for (let i = 0; i < 60; i++) record(configMap(`object-${i}`, '1'), brokerAway);
    await end();
    expect(stub.calls).toHaveLength(60);
    expect(clock.timers()).toEqual([]);
  });

  test('does not hold up the end of the process for a server that is silent', async () => {
    const { stub, record, end, clock } = await startWriter(() => {});
    record(object, brokerAway);
    await stub.call(0);
    const ended = end();
    expect(await clock.timer(3_000)).toBe(3_000);
    clock.advance(3_000);
    await ended;
  });
});
