// The recorder on a real API server, which judges what an Event has to have.
import { pino } from 'pino';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createEventWriter, type EventNote } from '../../../controller/kube/events.ts';
import type { KubeObject } from '../../../controller/kube/object.ts';
import { createTransport, type Transport } from '../../../controller/kube/transport.ts';
import { until } from '../../cluster/until.ts';
import { ControlPlane } from '../../services/control-plane.ts';
import { createFakeClock } from './fake-clock.ts';

/** A busy machine's time for what takes an idle one a moment. */
const slowMs = 60_000;
const path = '/apis/events.k8s.io/v1/namespaces/default/events';
const note: EventNote = { type: 'Warning', reason: 'BrokerAway', note: 'connection refused', action: 'Reconcile' };

interface Event extends KubeObject {
  note: string;
  series?: { count: number };
  regarding: { name: string };
}

let plane: ControlPlane;
let admin: Transport;

beforeAll(async () => {
  plane = await ControlPlane.start({ feeds: false });
  admin = createTransport(plane.kubeConfig, { userAgent: 'test' });
});

afterAll(async () => {
  await admin?.close();
  await plane?.close();
});

function startWriter() {
  const clock = createFakeClock();
  const warnings: string[] = [];
  const writer = createEventWriter({
    transport: admin,
    controller: 'shop.example/controller',
    instance: 'controller-0',
    clock,
    wallClockMs: Date.now,
    random: () => 0,
    log: pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) }),
  });
  const stop = new AbortController();
  const ended = writer.run(stop.signal);
  const end = async () => {
    stop.abort(new Error('the test ends'));
    await ended;
  };
  onTestFinished(end);
  return { clock, warnings, record: writer.record, end };
}

async function newObject(name: string): Promise<KubeObject> {
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } };
  return admin.request('POST', '/api/v1/namespaces/default/configmaps', { body });
}

async function eventsOf({ metadata }: KubeObject): Promise<Event[]> {
  const { items } = await admin.request<{ items: Event[] }>('GET', path);
  return items.filter(({ regarding }) => regarding.name === metadata.name);
}

test('an event is taken as it is, counted when it comes again, and shown by kubectl beside its object', async () => {
  const object = await newObject('again');
  const { clock, warnings, record } = startWriter();
  record(object, { ...note, note: 'ü'.repeat(1_000) });
  await until('an event', slowMs, async () => ((await eventsOf(object)).length === 1 ? true : undefined));
  record(object, { ...note, note: 'ü'.repeat(1_000) });
  clock.advance(60_000);
  await until('a series', slowMs, async () => ((await eventsOf(object))[0]?.series?.count === 2 ? true : undefined));
  expect(await plane.kubectl('describe', 'configmap', 'again')).toMatch(
    /Warning\s+BrokerAway\s.*shop\.example\/controller/,
  );
  expect(warnings).toEqual([]);
});

test('an event that comes thrice before it is written is one with its count', async () => {
  const object = await newObject('thrice');
  const { warnings, record, end } = startWriter();
  for (let i = 0; i < 3; i++) record(object, note);
  await end();
  const events = await eventsOf(object);
  expect(events).toMatchObject([{ series: { count: 3 }, note: 'connection refused' }]);
  expect(warnings).toEqual([]);
});

test('an event about an object without a namespace goes to default', async () => {
  const object = await admin.request<KubeObject>('GET', '/api/v1/namespaces/kube-system');
  const { warnings, record, end } = startWriter();
  record(object, note);
  await end();
  expect(await eventsOf(object)).toHaveLength(1);
  expect(warnings).toEqual([]);
});
