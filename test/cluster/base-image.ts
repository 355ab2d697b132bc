// The image that the project's Dockerfiles start from, made here where no container registry can be reached: Debian
// bookworm by debootstrap, Node and npm as the checkout has them, and the machine's certificates for npm.
import { copyFile, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Artifact } from './artifact.ts';
import { run } from './command.ts';
import { writeImageArchive } from './image-archive.ts';
import type { Step } from './step.ts';

export const baseImageTag = 'node:24-bookworm-slim';
export const baseImageArchive = 'image.tar';
const npmVersion = '11.19.1';
/** As the official slim image leaves them out. */
const leftOut = [
  'usr/share/doc',
  'usr/share/man',
  'usr/share/info',
  'usr/share/locale',
  'var/cache/apt',
  'var/lib/apt/lists',
];

export async function baseImage(): Promise<Artifact> {
  const certificates =
    process.env.NODE_EXTRA_CA_CERTS || process.env.SSL_CERT_FILE || '/etc/ssl/certs/ca-certificates.crt';
  // An image made behind a mirror must ask the same mirror.
  const registry = (await run(['npm', 'config', 'get', 'registry'])).trim();
  return {
    name: 'base-image',
    title: `Base image ${baseImageTag}, made with debootstrap (about a minute)`,
    whatNext: 'debootstrap (with debian-archive-keyring) and npm must be installed and reach their package mirrors.',
    files: [join(import.meta.dirname, 'base-image.ts'), certificates],
    values: { node: process.version, npm: npmVersion, registry },
    async build(folder, step) {
      if (!process.version.startsWith('v24.'))
        throw new Error(`Node is ${process.version}: run it with the checkout's Node 24`);
      const root = join(folder, 'root');
      await bootstrapDebian(root, step);
      await copyFile(process.execPath, join(root, 'usr/local/bin/node'));
      await installNpm(root, step);
      await mkdir(join(root, 'etc/ssl/certs'), { recursive: true });
      await copyFile(certificates, join(root, 'etc/ssl/certs/ca-certificates.crt'));
      await mkdir(join(root, 'usr/local/etc'), { recursive: true });
      const npmrc = `cafile=/etc/ssl/certs/ca-certificates.crt\nregistry=${registry}\n`;
      await writeFile(join(root, 'usr/local/etc/npmrc'), npmrc);
      const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
      const config = { Env: [path, `NODE_VERSION=${process.version.slice(1)}`], Cmd: ['node'] };
      await writeImageArchive(step, { root, tag: baseImageTag, config }, join(folder, baseImageArchive));
      await rm(root, { recursive: true });
    },
  };
}

/** In a mount namespace of its own, so that debootstrap's mounts end with it. */
async function bootstrapDebian(root: string, step: Step): Promise<void> {
  const alone = ['unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child=KILL'];
  await step.run([...alone, 'debootstrap', '--variant=minbase', 'bookworm', root]);
  await step.run(['chroot', root, 'useradd', '--create-home', '--shell', '/bin/bash', '--uid', '1000', 'node']);
  for (const path of leftOut) await rm(join(root, path), { recursive: true, force: true });
}

async function installNpm(root: string, step: Step): Promise<void> {
  const prefix = join(root, 'usr/local');
  const options = ['--global', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', prefix];
  await step.run(['npm', 'install', ...options, `npm@${npmVersion}`]);
  await rm(join(prefix, 'bin/npm'), { force: true });
  await rm(join(prefix, 'bin/npx'), { force: true });
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(prefix, 'bin/npm'));
  await symlink('../lib/node_modules/npm/bin/npx-cli.js', join(prefix, 'bin/npx'));
}
