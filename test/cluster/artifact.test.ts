import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Artifact, artifactKey, provide, type Store } from './artifact.ts';
import { StepFailed } from './step.ts';

let root: string;
let printed: string[];
let store: Store;
let builds: number;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'k2-artifact-'));
  printed = [];
  builds = 0;
  store = {
    folders: { checkout: '/checkout', cache: join(root, 'cache'), state: join(root, 'state') },
    reporter: { logs: join(root, 'log'), print: (line) => printed.push(line), now: () => 0 },
  };
  await writeFile(join(root, 'source'), 'one');
});
afterEach(() => rm(root, { recursive: true }));

function artifact(changes: Partial<Artifact> = {}): Artifact {
  return {
    name: 'program',
    title: 'The program',
    whatNext: 'install a compiler',
    files: [join(root, 'source')],
    values: { version: '1' },
    async build(folder) {
      builds++;
      await writeFile(join(folder, 'program'), await readFile(join(root, 'source')));
    },
    ...changes,
  };
}

describe('a cached artifact', () => {
  test('is built once', async () => {
    const folder = await provide(store, artifact());
    expect(await provide(store, artifact())).toBe(folder);
    expect(builds).toBe(1);
    expect(await readFile(join(folder, 'program'), 'utf8')).toBe('one');
  });

  test('is built beside what was there when a file or a value changes', async () => {
    const first = await provide(store, artifact());
    await writeFile(join(root, 'source'), 'two');
    const second = await provide(store, artifact());
    const third = await provide(store, artifact({ values: { version: '2' } }));
    expect(new Set([first, second, third]).size).toBe(3);
    expect(await readFile(join(first, 'program'), 'utf8')).toBe('one');
  });

  test('replaces the older ones when only the latest is of use', async () => {
    await provide(store, artifact({ name: 'program-of-another' }));
    await provide(store, artifact({ onlyLatest: true }));
    await provide(store, artifact({ onlyLatest: true, values: { version: '2' } }));
    const entries = await readdir(join(store.folders.cache, 'artifacts'));
    expect(entries.filter((name) => name.startsWith('program-of-another-'))).toHaveLength(1);
    expect(entries).toHaveLength(2);
  });

  test('is built again when its last build did not end', async () => {
    const folder = await provide(store, artifact());
    await rm(join(folder, '.complete'));
    await provide(store, artifact());
    expect(builds).toBe(2);
    expect(printed.join('\n')).toContain('built again, because its last build did not end');
  });

  test.each([
    ['is cut short', 'o', 'program has 1 bytes, not 3'],
    ['is altered', 'ONE', 'program was altered'],
  ])('is built again when a file of it %s', async (_what, content, reason) => {
    const folder = await provide(store, artifact());
    await writeFile(join(folder, 'program'), content);
    // Two writes can fall into one tick of the file system's clock.
    await utimes(join(folder, 'program'), 1, 1);
    await provide(store, artifact());
    expect(await readFile(join(folder, 'program'), 'utf8')).toBe('one');
    expect(printed.join('\n')).toContain(reason);
  });

  test('is built again when it does not work, whatever its marker says', async () => {
    const verify = async (folder: string) => {
      await readFile(join(folder, 'program'));
      if (builds === 1 && !folder.endsWith('.unfinished')) throw new Error('illegal instruction');
    };
    await provide(store, artifact());
    await provide(store, artifact({ verify }));
    expect(builds).toBe(2);
    expect(printed.join('\n')).toContain('it does not work: illegal instruction');
  });

  test('is built again when its marker is no list', async () => {
    const folder = await provide(store, artifact());
    await writeFile(join(folder, '.complete'), '[{"path":');
    await provide(store, artifact());
    expect(builds).toBe(2);
  });

  test('is never there half built: a failed build leaves no entry, and the next one starts afresh', async () => {
    const fails = artifact({
      async build(folder) {
        await writeFile(join(folder, 'half'), '');
        throw new Error('no space left on device');
      },
    });
    await expect(provide(store, fails)).rejects.toThrow(StepFailed);
    expect(printed.join('\n')).toMatch(/FAILED.*no space left on device.*next: install a compiler/s);
    const folder = await provide(store, artifact());
    expect((await readdir(folder)).sort()).toEqual(['.complete', 'program']);
  });

  test('is built by one of two that want it at the same time; the other waits, and says for whom', async () => {
    const [one, two] = await Promise.all([provide(store, artifact()), provide(store, artifact())]);
    expect(one).toBe(two);
    expect(builds).toBe(1);
    expect(printed.join('\n')).toContain(`waiting, process ${process.pid} of /checkout is building it`);
  });
});

describe('its key', () => {
  test('depends on the names and content of files, not on where the checkout lies', async () => {
    const key = (folder: string) => artifactKey({ files: [join(root, folder)], values: {} });
    for (const folder of ['here', 'there']) {
      await mkdir(join(root, folder, 'sub'), { recursive: true });
      await writeFile(join(root, folder, 'sub', 'file'), 'text');
    }
    expect(await key('here')).toBe(await key('there'));
    await writeFile(join(root, 'there', 'sub', 'file2'), '');
    expect(await key('here')).not.toBe(await key('there'));
  });

  test('does not depend on the order of the values', async () => {
    const key = (values: Record<string, string>) => artifactKey({ files: [], values });
    expect(await key({ a: '1', b: '2' })).toBe(await key({ b: '2', a: '1' }));
    expect(await key({ a: '1', b: '2' })).not.toBe(await key({ a: '2', b: '1' }));
  });
});
