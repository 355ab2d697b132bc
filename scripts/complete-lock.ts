// Completes package-lock.json for all platforms: where a package registry serves only the packages of some platforms,
// npm leaves the others out of the lock, and `npm ci` then refuses the lock on every machine. Run after each
// `npm install`. The missing entries get the exact version, operating system and processor that their names and
// dependants state; they have no integrity, because nothing was downloaded to compute it from.
import { readFileSync, writeFileSync } from 'node:fs';

export interface LockEntry {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  license?: string;
  os?: string[];
  cpu?: string[];
  bin?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}
export interface Lock {
  packages: Record<string, LockEntry>;
}

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const processors = 'arm64 arm x64 ia32 loong64 mips64el ppc64 riscv64 s390x wasm32 ppc64le armv7'.split(' ');

/** npm looks a dependency up from its dependant outwards, as Node's module resolution does. */
function isLocked(lock: Lock, dependant: string, name: string): boolean {
  for (let at = dependant; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
    if (lock.packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`]) return true;
    if (at === '') return false;
  }
}

/** Entries of optional packages that the lock lacks, by path. @throws Error for one that names no platform */
export function missingEntries(lock: Lock): Record<string, LockEntry> {
  const missing: Record<string, LockEntry> = {};
  for (const [dependant, entry] of Object.entries(lock.packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      if (isLocked(lock, dependant, name)) continue;
      const words = name.split(/[-/]/);
      const os = systems.filter((system) => words.includes(system));
      const cpu = processors.filter((processor) => words.includes(processor));
      if (os.length + cpu.length === 0) throw new Error(`${name} is not locked and names no platform`);
      missing[`node_modules/${name}`] = {
        version: range.replace(/^[\^~]/, ''),
        ...(cpu.length > 0 && { cpu }),
        ...(entry.dev && { dev: true }),
        optional: true,
        ...(os.length > 0 && { os }),
        // npm links a locked package's programs from the lock alone.
        ...(name.startsWith('node-') && { bin: { node: 'bin/node' } }),
      };
    }
  }
  return missing;
}

if (import.meta.main) {
  const path = 'package-lock.json';
  const lock = JSON.parse(readFileSync(path, 'utf8')) as Lock;
  const missing = missingEntries(lock);
  const entries = Object.entries({ ...lock.packages, ...missing }).sort(([a], [b]) => (a < b ? -1 : 1));
  writeFileSync(path, `${JSON.stringify({ ...lock, packages: Object.fromEntries(entries) }, null, 2)}\n`);
  const names = Object.keys(missing).map((name) => name.replace('node_modules/', ''));
  console.log(
    `${path}: added ${names.length} packages of other platforms${names.map((name) => `\n  ${name}`).join('')}`,
  );
}
