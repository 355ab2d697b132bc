// What takes long to build is built once and kept in the cache, under a key made of all that it depends on. A build
// happens in a folder beside, renamed at its end, with a marker that lists what is in it: so an entry is whole, or it
// is noticed and built again.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Folders } from './folders.ts';
import { withLock } from './lock.ts';
import { type Reporter, type Step, step } from './step.ts';

export interface Artifact {
  name: string;
  /** What the step is called, for a person: "Kubernetes 1.35.4 (one binary, 6 minutes when nothing is cached)". */
  title: string;
  /** What to do when its build fails. */
  whatNext: string;
  /** Files and folders whose content decides about the result; absolute paths. */
  files: readonly string[];
  /** Versions, flags and the like that decide about the result. */
  values: Readonly<Record<string, string>>;
  /** Older entries are removed: their content changes often, and is made again quickly. */
  onlyLatest?: true;
  /** Makes the content of the folder. */
  build(folder: string, step: Step): Promise<void>;
  /** Tries the result out, cheaply, each time it is used. @throws Error when it does not work */
  verify?(folder: string): Promise<void>;
}

export interface Store {
  folders: Folders;
  reporter: Reporter;
}

interface FileRecord {
  path: string;
  size: number;
  /** Milliseconds since 1970: the checksum is computed again only when this differs. */
  modifiedMs: number;
  sha256: string;
}

const marker = '.complete';
/** Characters of the key in a folder's name: enough that two keys never meet in one cache. */
const keyLength = 16;

/** The folder of a whole and working artifact, built now if need be. @throws StepFailed */
export async function provide(store: Store, artifact: Artifact): Promise<string> {
  const folder = join(store.folders.cache, 'artifacts', `${artifact.name}-${await artifactKey(artifact)}`);
  if ((await flaw(folder, artifact)) === null) return folder;
  const self = { pid: process.pid, checkout: store.folders.checkout };
  const onWait = (owner: { pid: number; checkout: string }) =>
    store.reporter.print(`  ${artifact.title}: waiting, process ${owner.pid} of ${owner.checkout} is building it`);
  return withLock(folder, self, onWait, async () => {
    const reason = await flaw(folder, artifact);
    if (reason === null) return folder;
    if (reason !== 'not there') store.reporter.print(`  ${artifact.title}: built again, because ${reason}`);
    await step(store.reporter, artifact.title, artifact.whatNext, (s) => build(folder, artifact, s));
    return folder;
  });
}

async function build(folder: string, artifact: Artifact, current: Step): Promise<void> {
  const unfinished = `${folder}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  await artifact.build(unfinished, current);
  await artifact.verify?.(unfinished);
  await writeFile(join(unfinished, marker), JSON.stringify(await inventory(unfinished), null, 1));
  await rm(folder, { recursive: true, force: true });
  await rename(unfinished, folder);
  if (artifact.onlyLatest) await removeOthers(folder, artifact.name);
}

async function removeOthers(folder: string, name: string): Promise<void> {
  for (const entry of await readdir(dirname(folder))) {
    const isEntry = entry.startsWith(`${name}-`) && entry.length === name.length + 1 + keyLength;
    if (isEntry && entry !== basename(folder)) await rm(join(dirname(folder), entry), { recursive: true });
  }
}

/** What is wrong with the entry, in words that end a sentence; null: nothing. */
async function flaw(folder: string, artifact: Artifact): Promise<string | null> {
  const text = await readFile(join(folder, marker), 'utf8').catch(() => undefined);
  if (text === undefined)
    return (await stat(folder).catch(() => undefined)) ? 'its last build did not end' : 'not there';
  for (const expected of parseInventory(text)) {
    const path = join(folder, expected.path);
    const found = await stat(path).catch(() => undefined);
    if (!found) return `${expected.path} is missing`;
    if (found.size !== expected.size) return `${expected.path} has ${found.size} bytes, not ${expected.size}`;
    if (found.mtimeMs !== expected.modifiedMs && (await sha256(path)) !== expected.sha256)
      return `${expected.path} was altered`;
  }
  try {
    await artifact.verify?.(folder);
    return null;
  } catch (error) {
    return `it does not work: ${error instanceof Error ? error.message : error}`;
  }
}

/** A marker that cannot be read stands for one file that cannot be there. */
function parseInventory(text: string): FileRecord[] {
  try {
    return JSON.parse(text) as FileRecord[];
  } catch {
    return [{ path: `a readable ${marker}`, size: 0, modifiedMs: 0, sha256: '' }];
  }
}

/** Depends on the names, the content and the values, not on where the checkout lies. */
export async function artifactKey(artifact: Pick<Artifact, 'files' | 'values'>): Promise<string> {
  const hash = createHash('sha256');
  hash.update(JSON.stringify(Object.entries(artifact.values).sort(([a], [b]) => (a < b ? -1 : 1))));
  for (const root of artifact.files) {
    for (const path of await filesBelow(root)) hash.update(`\0${relative(root, path)}\0${await sha256(path)}`);
  }
  return hash.digest('hex').slice(0, keyLength);
}

async function inventory(folder: string): Promise<FileRecord[]> {
  const records: FileRecord[] = [];
  for (const path of await filesBelow(folder)) {
    const { size, mtimeMs } = await stat(path);
    records.push({ path: relative(folder, path), size, modifiedMs: mtimeMs, sha256: await sha256(path) });
  }
  return records;
}

/** The file itself, or the regular files below a folder, in an order that does not depend on the file system. */
async function filesBelow(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
