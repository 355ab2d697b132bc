import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Reporter, StepFailed, step } from './step.ts';

let logs: string;
let printed: string[];
let now: number;
let reporter: Reporter;

beforeEach(async () => {
  logs = await mkdtemp(join(tmpdir(), 'k2-step-'));
  printed = [];
  now = 0;
  reporter = { logs, print: (line) => printed.push(line), now: () => now };
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(logs, { recursive: true });
});

test('a step says what it does, and at its end how long it took', async () => {
  const result = await step(reporter, 'Images', 'try again', async () => {
    now += 1234;
    return 'archive';
  });
  expect(result).toBe('archive');
  expect(printed).toEqual(['  Images ...', '  Images: 1.2 s']);
});

test('a long step says every 15 s that it lives, with the last line of output', async () => {
  vi.useFakeTimers();
  let finish = () => {};
  const running = step(reporter, 'Build', 'try again', (current) => {
    current.note('compiling k8s.io/api');
    return new Promise<void>((resolve) => {
      finish = resolve;
    });
  });
  now = 15_000;
  vi.advanceTimersByTime(15_000);
  now = 30_000;
  vi.advanceTimersByTime(15_000);
  finish();
  await running;
  expect(printed).toEqual([
    '  Build ...',
    '  Build: 15.0 s so far, compiling k8s.io/api',
    '  Build: 30.0 s so far, compiling k8s.io/api',
    '  Build: 30.0 s',
  ]);
});

test('a command that fails is shown with its exit code, its last lines, its log and what to do next', async () => {
  const shell = 'for i in $(seq 30); do echo line $i; done; echo the reason >&2; exit 3';
  const failing = step(reporter, 'Go build', 'install Go', (current) => current.run(['sh', '-c', shell]));
  await expect(failing).rejects.toThrow(StepFailed);
  const report = printed.at(-1) ?? '';
  expect(report).toContain('Go build: FAILED');
  expect(report).toContain('ended with exit code 3');
  expect(report).toContain('| the reason');
  expect(report).not.toContain('line 5\n');
  expect(report).toContain('next: install Go');
  const log = /log: (.*)/.exec(report)?.[1] ?? '';
  expect(await readFile(log, 'utf8')).toContain('line 5\n');
});

// ENOENT, or EACCES where PATH has a folder that this user may not read.
test('a program that is not there is named', async () => {
  await expect(step(reporter, 'x', 'y', (current) => current.run(['no-such-program-k2']))).rejects.toThrow(StepFailed);
  expect(printed.at(-1)).toMatch(
    /`no-such-program-k2` ended with no start \(spawn no-such-program-k2 (ENOENT|EACCES)\)/,
  );
});

test('the failure of a step within a step is told once', async () => {
  const outer = step(reporter, 'outer', 'o', () => step(reporter, 'inner', 'i', () => Promise.reject(new Error('no'))));
  await expect(outer).rejects.toThrow(StepFailed);
  expect(printed.filter((line) => line.includes('FAILED'))).toHaveLength(1);
});

test('a command gives back its standard output alone, and reads its input', async () => {
  const out = await step(reporter, 'cat', 'y', (current) =>
    current.run(['sh', '-c', 'cat; echo noise >&2'], { input: 'text' }),
  );
  expect(out).toBe('text');
});
