// bed.json in the state folder: what runs and where, for the tests, the quick start, and `down`.
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Access, Cluster, ServiceUrls } from './cluster.ts';

export interface BedRecord {
  /** The checkout that started it. */
  checkout: string;
  /** Null: broker and registry alone. */
  cluster: (Access & { name: Cluster['name']; helm: string }) | null;
  services: ServiceUrls;
  /** Of broker and registry; none when the cluster brought them along. */
  servicePids: number[];
}

/** Undefined when no bed is up; also after a crash before everything was. */
export async function readBed(state: string): Promise<BedRecord | undefined> {
  const text = await readFile(pathOf(state), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as BedRecord);
}

export async function writeBed(state: string, bed: BedRecord): Promise<void> {
  await mkdir(state, { recursive: true });
  const unfinished = `${pathOf(state)}.unfinished`;
  await writeFile(unfinished, `${JSON.stringify(bed, null, 2)}\n`);
  await rename(unfinished, pathOf(state));
}

export async function removeBed(state: string): Promise<void> {
  await rm(pathOf(state), { force: true });
}

/**
 * @param pid of a living process of the bed
 * @throws Error when the bed belongs to another checkout that still exists
 */
export function refuseOtherCheckout(bed: BedRecord | undefined, checkout: string, pid: number | undefined): void {
  if (!bed || pid === undefined || bed.checkout === checkout || !existsSync(bed.checkout)) return;
  throw new Error(
    `the test bed is up for another checkout, ${bed.checkout} (process ${pid}): ` +
      'use it there, or run `make down` there first',
  );
}

function pathOf(state: string): string {
  return join(state, 'bed.json');
}
