// The lock file must serve every platform and mirror, wherever it was written.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Lock, missingEntries } from '../../scripts/complete-lock.ts';

const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')) as Lock;

test('the lock file is complete for all platforms: else run node scripts/complete-lock.ts', () => {
  expect(Object.keys(missingEntries(lock))).toEqual([]);
});

test('the lock file names no download address', () => {
  expect(JSON.stringify(lock)).not.toMatch(/"resolved"|https?:\/\/[^"]*\.tgz/);
});

test('a package of another platform is found missing, and gets its platform from its name', () => {
  const incomplete: Lock = {
    packages: {
      'node_modules/a': { dev: true, optionalDependencies: { 'a-linux-x64': '1.2.3', 'a-darwin-arm64': '^1.2.3' } },
      'node_modules/a/node_modules/a-linux-x64': { version: '1.2.3' },
    },
  };
  expect(missingEntries(incomplete)).toEqual({
    'node_modules/a-darwin-arm64': { version: '1.2.3', cpu: ['arm64'], dev: true, optional: true, os: ['darwin'] },
  });
});
