import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, describe, expect, test } from 'vitest';
import { openRegistry } from '../../../api/secrets.ts';
import type { RegistryPlace } from '../../../controller/access.ts';
import type { Subject } from '../../../controller/desired.ts';
import type { TargetError } from '../../../controller/errors.ts';
import { createSubjectsTarget } from '../../../controller/targets/subjects.ts';
import { ledgerInMemory } from '../ledger-in-memory.ts';
import { schemaRegistryUrl } from './services.ts';

const ledger = ledgerInMemory();
let nowMs = 0;
const target = createSubjectsTarget({ ledger, nowMs: () => nowMs });
const registryAt = (url: string): RegistryPlace => ({ url, access: openRegistry, key: url, version: '' });
const registry = registryAt(schemaRegistryUrl);
const schema = readFileSync(new URL('../../../schemas/normalized-trade.avsc', import.meta.url), 'utf8');
const run = `controller-test-${Date.now()}-${process.pid}`;
let count = 0;
const newSubject = (): Subject => ({ name: `${run}-${++count}-value`, schema });

/** The schema with one more field. */
function withField(field: object): string {
  const changed = JSON.parse(schema);
  changed.fields.push(field);
  return JSON.stringify(changed);
}

const observe = (...subjects: Subject[]) => target.observe({ registry, subjects });
const register = (subject: Subject) =>
  target.apply({ registry, subjects: [subject] }, { target: 'subjects', kind: 'register', subjects: [subject] });
const failureOf = (work: Promise<unknown>): Promise<TargetError> =>
  work.then(
    () => Promise.reject(new Error('it did not fail')),
    (error) => error,
  );
afterAll(async () => {
  for (let index = 1; index <= count; index++) {
    await fetch(`${schemaRegistryUrl}/subjects/${run}-${index}-value`, { method: 'DELETE' });
  }
});

/** The registry's own answer, asked without our client. */
const ask = async (path: string) => (await fetch(`${schemaRegistryUrl}${path}`)).json();

describe('a subject', () => {
  test('that does not exist is observed as such', async () => {
    expect(await observe(newSubject())).toEqual(new Map());
  });

  test('is registered, keeps compatible with what came before, and is then observed with its id', async () => {
    const subject = newSubject();
    await register(subject);
    const observed = await observe(subject);
    expect(await ask(`/subjects/${subject.name}/versions/latest`)).toMatchObject({ id: observed.get(subject.name) });
    expect(await ask(`/config/${subject.name}`)).toEqual({ compatibilityLevel: 'BACKWARD' });
  });

  test('that is registered again keeps its one version', async () => {
    const subject = newSubject();
    await register(subject);
    await register(subject);
    expect(await ask(`/subjects/${subject.name}/versions`)).toEqual([1]);
  });

  test('with another schema is not taken for right, and a compatible one becomes its next version', async () => {
    const subject = newSubject();
    await register(subject);
    const next = { ...subject, schema: withField({ name: 'venue', type: ['null', 'string'], default: null }) };
    expect(await observe(next)).toEqual(new Map());
    await register(next);
    expect((await observe(next)).has(subject.name)).toBe(true);
    expect(await ask(`/subjects/${subject.name}/versions`)).toEqual([1, 2]);
  });

  test('refuses a schema that could not read its old records, in the words of the registry', async () => {
    const subject = newSubject();
    await register(subject);
    const failure = await failureOf(register({ ...subject, schema: withField({ name: 'venue', type: 'string' }) }));
    expect(failure).toMatchObject({ reason: 'SchemaIncompatible' });
    expect(failure.message).toMatch(new RegExp(`^${subject.name}: .*incompatible`, 'i'));
    expect(await ask(`/subjects/${subject.name}/versions`)).toEqual([1]);
  });

  test('that was found serves for a minute those who look for drift, and nobody else', async () => {
    const subject = newSubject();
    await register(subject);
    const id = (await observe(subject)).get(subject.name);
    await target.remove({ registry, subjects: [subject] }, [subject.name]);
    const lookForDrift = () => target.observe({ registry, subjects: [subject] }, 60_000);
    expect((await lookForDrift()).get(subject.name)).toBe(id);
    nowMs += 60_000;
    expect((await lookForDrift()).size).toBe(0);
    await register(subject);
    expect((await observe(subject)).size).toBe(1);
  });
});

describe('a subject that this operator made', () => {
  test('is in its ledger, and one that was there before is not', async () => {
    const [own, foreign] = [newSubject(), newSubject()];
    const body = JSON.stringify({ schema });
    const headers = { 'content-type': 'application/vnd.schemaregistry.v1+json' };
    await fetch(`${schemaRegistryUrl}/subjects/${foreign.name}/versions`, { method: 'POST', headers, body });
    const compatibility = JSON.stringify({ compatibility: 'BACKWARD' });
    await fetch(`${schemaRegistryUrl}/config/${foreign.name}`, { method: 'PUT', headers, body: compatibility });
    const next = { ...foreign, schema: withField({ name: 'venue', type: ['null', 'string'], default: null }) };
    await register(own);
    await register(next);
    expect([...(await target.made({ registry, subjects: [own, next] }))]).toEqual([own.name]);
  });

  test('is removed by name, forgotten with it, and gone already is no failure', async () => {
    const subject = newSubject();
    await register(subject);
    for (let times = 0; times < 2; times++) await target.remove({ registry, subjects: [subject] }, [subject.name]);
    expect(await observe(subject)).toEqual(new Map());
    expect((await target.made({ registry, subjects: [subject] })).size).toBe(0);
  });
});

describe('a registry that is away', () => {
  const lookAt = (url: string) => failureOf(target.observe({ registry: registryAt(url), subjects: [newSubject()] }));

  test('is told by address when it refuses to connect', async () => {
    expect(await lookAt('http://127.0.0.1:1')).toMatchObject({
      reason: 'RegistryUnreachable',
      message: 'http://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1',
    });
  });

  test('is told within 10 s when it accepts and says nothing', async () => {
    const silent = createServer((socket) => socket.on('error', () => {}));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const start = performance.now();
    expect(await lookAt(`http://127.0.0.1:${port}`)).toMatchObject({ reason: 'RegistryUnreachable' });
    expect(performance.now() - start).toBeLessThan(10_000);
    silent.close();
  });

  test('is told when something else answers at its address', async () => {
    const subject = newSubject();
    const desired = { registry: registryAt(`${schemaRegistryUrl}/no-such-page`), subjects: [subject] };
    const failure = await failureOf(
      target.apply(desired, { target: 'subjects', kind: 'register', subjects: [subject] }),
    );
    expect(failure).toMatchObject({
      reason: 'RegistryUnreachable',
      message: expect.stringContaining(`${schemaRegistryUrl}/no-such-page: `),
    });
  });
});
