import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bedProcesses, end, isAlive, startDetached } from './processes.ts';
import { Hopeless, until } from './until.ts';

let state: string;
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'k2-processes-'));
});
afterEach(async () => {
  await end(bedProcesses(state));
  await rm(state, { recursive: true });
});

describe('a detached process', () => {
  test('is found by the state folder it belongs to, with its children, and ended', async () => {
    const pid = startDetached(state, ['sh', '-c', 'sleep 600 & sleep 600'], { log: join(state, 'log') });
    const found = await until('both sleeps', 5_000, () =>
      bedProcesses(state).filter(({ command }) => command === 'sleep 600').length === 2
        ? bedProcesses(state)
        : undefined,
    );
    expect(found.map((p) => p.pid)).toContain(pid);
    expect(bedProcesses(`${state}-of-another`)).toEqual([]);
    await end(found);
    expect(bedProcesses(state)).toEqual([]);
    expect(isAlive(pid)).toBe(false);
  });

  test('that has the pid of one that is gone is left alone', async () => {
    const pid = startDetached(state, ['sleep', '600'], { log: join(state, 'log') });
    await end([{ pid, startTime: '1', command: 'an older process with that pid' }]);
    expect(isAlive(pid)).toBe(true);
  });

  test('writes its log to the end', async () => {
    startDetached(state, ['sh', '-c', 'echo out; echo err >&2'], { log: join(state, 'log') });
    const log = await until('the log', 5_000, async () => {
      const text = await readFile(join(state, 'log'), 'utf8');
      return text.includes('err') ? text : undefined;
    });
    expect(log).toBe('out\nerr\n');
  });
});

describe('waiting', () => {
  test('ends with the limit, and says what for and why not', async () => {
    const look = () => {
      throw new Error('connection refused');
    };
    await expect(until('the API server', 1, look)).rejects.toThrow(
      'waited 0.001 s in vain for the API server (connection refused)',
    );
  });

  test('ends at once when there is nothing to wait for any more', async () => {
    const look = () => {
      throw new Hopeless('it ended while it started');
    };
    await expect(until('it', 60_000, look)).rejects.toThrow('it ended while it started');
  });
});
