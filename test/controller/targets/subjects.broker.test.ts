import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, describe, expect, test } from 'vitest';
import type { Subject } from '../../../controller/desired.ts';
import type { TargetError } from '../../../controller/errors.ts';
import { createSubjectsTarget } from '../../../controller/targets/subjects.ts';
import { schemaRegistryUrl } from './services.ts';

const target = createSubjectsTarget();
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

const observe = (...subjects: Subject[]) => target.observe({ schemaRegistryUrl, subjects });
const register = (subject: Subject) =>
  target.apply(
    { schemaRegistryUrl, subjects: [subject] },
    { target: 'subjects', kind: 'register', subjects: [subject] },
  );
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
});

describe('a registry that is away', () => {
  const lookAt = (url: string) => failureOf(target.observe({ schemaRegistryUrl: url, subjects: [newSubject()] }));

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
    const desired = { schemaRegistryUrl: `${schemaRegistryUrl}/no-such-page`, subjects: [subject] };
    const failure = await failureOf(
      target.apply(desired, { target: 'subjects', kind: 'register', subjects: [subject] }),
    );
    expect(failure).toMatchObject({
      reason: 'RegistryUnreachable',
      message: expect.stringContaining(`${schemaRegistryUrl}/no-such-page: `),
    });
  });
});
