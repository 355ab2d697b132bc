// `helm test`, as NOTES.txt says to run it after an install.
import { expect, test } from 'vitest';
import { openBed } from './bed.ts';
import { namespace, release } from './operator.ts';
import { run } from './process.ts';

test('helm test finds the release right, and leaves no feed behind', async () => {
  const bed = await openBed();
  const words = ['test', release, '--namespace', namespace, '--logs', '--timeout', '120s'];
  const answer = await run(bed.helm, words, { env: { KUBECONFIG: bed.kubeconfig }, timeoutMs: 150_000 });
  expect(answer).toMatch(/ok +the controller is ready/);
  expect(answer).toMatch(/ok +the API server takes a feed/);
  expect(answer).toMatch(/ok +the API server refuses a feed without symbols/);
  const kubectl = ['get', 'exchangefeeds', '--all-namespaces', '-o', 'name'];
  const feeds = await run(bed.kubectl, kubectl, { env: { KUBECONFIG: bed.kubeconfig } });
  expect(feeds).not.toContain('helm-test-');
});
