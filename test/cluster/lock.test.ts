import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withLock } from './lock.ts';

const self = { pid: process.pid, checkout: '/here' };

test('one at a time, and each waits for those before', async () => {
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
  };
  await Promise.all(Array.from({ length: 5 }, () => withLock(`test ${process.pid}`, self, () => {}, work)));
  expect(most).toBe(1);
});

test('the lock of a process that was killed is free at once, and its owner was named', async () => {
  const thing = `killed ${process.pid}`;
  const script = `
    const { withLock } = await import(${JSON.stringify(join(import.meta.dirname, 'lock.ts'))});
    await withLock(${JSON.stringify(thing)}, { pid: process.pid, checkout: '/there' }, () => {}, () => {
      console.log('held');
      return new Promise(() => setInterval(() => {}, 1000));
    });`;
  const owner = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(owner.stdout, 'data');
  const seen: unknown[] = [];
  const result = await withLock(
    thing,
    self,
    (who) => {
      seen.push(who);
      owner.kill('SIGKILL');
    },
    async () => 'mine',
  );
  expect(result).toBe('mine');
  expect(seen).toEqual([{ pid: owner.pid, checkout: '/there' }]);
});

test('work that fails gives the lock back', async () => {
  const thing = `failed ${process.pid}`;
  const fail = () => Promise.reject(new Error('no'));
  await expect(withLock(thing, self, () => {}, fail)).rejects.toThrow('no');
  await expect(
    withLock(
      thing,
      self,
      () => expect.unreachable(),
      async () => 1,
    ),
  ).resolves.toBe(1);
});
