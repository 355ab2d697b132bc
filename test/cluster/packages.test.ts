import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isOnPath } from './machine.ts';
import { missingPackages, neededPackages, requireGo } from './packages.ts';

describe('system packages', () => {
  test('what is there is not installed again, whoever brought it', () => {
    const there = { name: 'node', why: 'runs this', proof: process.execPath };
    const missing = { name: 'nothing', why: 'no reason', proof: 'no-such-program-k2' };
    expect(missingPackages([there, missing])).toEqual([missing]);
  });

  test('broker and registry alone need less than the local cluster', () => {
    const names = (cluster: 'local' | null) => neededPackages(cluster, false).map(({ name }) => name);
    expect(names(null)).toEqual(['default-jdk-headless', 'maven']);
    expect(neededPackages('kind', true)).toEqual(neededPackages(null, true));
    expect(names('local')).toEqual(expect.arrayContaining([...names(null), 'containerd', 'runc', 'debootstrap']));
  });

  test('a program is looked for in each folder of PATH', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'k2-path-'));
    await writeFile(join(folder, 'tool'), '');
    expect(isOnPath('tool', `/nowhere:${folder}`)).toBe(true);
    expect(isOnPath('tool', '/nowhere:')).toBe(false);
    await rm(folder, { recursive: true });
  });
});

describe('Go', () => {
  test.each(['go1.26.8', 'go1.26rc1', 'go1.30', 'go2.0'])('%s will do', (version) => {
    expect(() => requireGo(version)).not.toThrow();
  });

  test('one that is too old, or none, is told with what to install', () => {
    expect(() => requireGo('go1.19.8')).toThrow(/^Go on PATH is go1.19.8, .*install Go 1.26 or newer from https/);
    expect(() => requireGo(undefined)).toThrow(/^Go is not on PATH/);
  });
});
