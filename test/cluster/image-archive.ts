// Container images made from a folder, in the format of `docker save`, without a daemon
// (https://github.com/moby/docker-image-spec/blob/main/spec.md#combined-image-json--filesystem-changeset-format).
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Step } from './step.ts';

const architectures: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', arm64: 'arm64' };

export interface ImageConfig {
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
}

/** Writes an image of one layer; the same content gives the same image. */
export async function writeImageArchive(
  step: Step,
  image: { root: string; tag: string; config: ImageConfig },
  archive: string,
): Promise<void> {
  const folder = await mkdtemp(`${archive}-`);
  const tar = ['tar', '--numeric-owner', '--sort=name', '--mtime=@0'];
  await step.run([...tar, '-C', image.root, '-cf', join(folder, 'layer.tar'), '.']);
  const created = new Date(0).toISOString();
  const config = {
    architecture: architectures[process.arch] ?? process.arch,
    os: 'linux',
    created,
    config: image.config,
    rootfs: { type: 'layers', diff_ids: [`sha256:${await sha256(join(folder, 'layer.tar'))}`] },
    history: [{ created }],
  };
  const manifest = [{ Config: 'config.json', RepoTags: [image.tag], Layers: ['layer.tar'] }];
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
  await step.run([...tar, '-C', folder, '-cf', archive, 'config.json', 'layer.tar', 'manifest.json']);
  await rm(folder, { recursive: true });
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
