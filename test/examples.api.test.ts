// Every file in examples/ as a real API server reads it, as strictly as it can: a warning is an error here.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ControlPlane } from './services/control-plane.ts';

const folder = join(import.meta.dirname, '..', 'examples');
const strict = ['--dry-run=server', '--validate=strict', '--warnings-as-errors'];

let plane: ControlPlane;
beforeAll(async () => {
  plane = await ControlPlane.start();
});
afterAll(() => plane?.close());

test.each(readdirSync(folder))('%s is taken, and every field of it is kept', async (file) => {
  const path = join(folder, file);
  const applied = await plane.kubectl('apply', '--server-side', ...strict, '-f', path, '-o', 'yaml');
  const fields = [...readFileSync(path, 'utf8').matchAll(/^ *(?:- )?([\w./-]+):/gm)].map(([, field]) => `${field}:`);
  expect(fields.filter((field) => !applied.includes(field))).toEqual([]);
  expect(await plane.kubectl('apply', ...strict, '-f', path)).toContain('created (server dry run)');
});
