import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Call, startStub } from './kube/stub-api-server.ts';

const environment = {
  K2_KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1',
  K2_KAFKA_SCHEMA_REGISTRY_URL: 'http://127.0.0.1:1',
  K2_WORKER_IMAGE: 'k2/worker:1',
  K2_HTTP_PORT: '0',
};

/** The real program; it ends with the test. */
function startController(changes: Record<string, string>) {
  const child = spawn(process.execPath, ['--disable-warning=TimeoutNegativeWarning', 'controller/main.ts'], {
    cwd: new URL('../..', import.meta.url),
    env: { PATH: process.env.PATH, ...environment, ...changes },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exited = once(child, 'close').then(([code]) => code as number | null);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  return {
    child,
    exited,
    stderr: () => stderr,
    /** The next log line with that message. */
    async logged(msg: string): Promise<Record<string, unknown>> {
      for (let next = await lines.next(); !next.done; next = await lines.next()) {
        const line = JSON.parse(next.value);
        if (line.msg === msg) return line;
      }
      throw new Error(`the controller ended without '${msg}': ${stderr}`);
    },
  };
}

/** The path of a kubeconfig. */
async function kubeConfigFor(url: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'k2-controller-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'kubeconfig');
  const clusters = [{ name: 'stub', cluster: { server: url, 'insecure-skip-tls-verify': true } }];
  const contexts = [{ name: 'stub', context: { cluster: 'stub', user: 'nobody' } }];
  const users = [{ name: 'nobody', user: {} }];
  await writeFile(path, JSON.stringify({ clusters, contexts, users, 'current-context': 'stub' }));
  return path;
}

const emptyList = { apiVersion: 'v1', kind: 'List', metadata: { resourceVersion: '1' }, items: [] };
const answerEmpty = (call: Call) => {
  if (!call.watch) call.json(200, emptyList);
};

describe('a bad configuration ends the controller at once with code 2 and one line:', () => {
  test.each([
    [{ K2_WORKER_IMAGE: '' }, /^K2_WORKER_IMAGE: is not set; for example K2_WORKER_IMAGE=\S+\n$/],
    [{ K2_SCHEMA_PATH: '/nowhere' }, /^K2_SCHEMA_PATH: '\/nowhere' has no schemas \(ENOENT.*\); for example \S+\n$/],
  ])('%j', async (change, line) => {
    const controller = startController(change);
    expect(await controller.exited).toBe(2);
    expect(controller.stderr()).toMatch(line);
  });
});

test('the controller is ready once everything is listed, and ends cleanly on SIGTERM', async () => {
  const held: Call[] = [];
  let isHolding = true;
  const stub = await startStub((call) => {
    if (isHolding && call.path.endsWith('/pods')) held.push(call);
    else answerEmpty(call);
  });
  const controller = startController({ KUBECONFIG: await kubeConfigFor(stub.url), K2_WATCH_NAMESPACE: 'market-data' });
  const { port } = await controller.logged('started');
  const get = async (page: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${page}`);
    return `${response.status} ${await response.text()}`;
  };
  await stub.call(3);
  expect(await get('/healthz')).toBe('200 ok\n');
  expect(await get('/readyz')).toBe('503 feeds and what was made for them are not listed yet\n');

  isHolding = false;
  for (const call of held) answerEmpty(call);
  await controller.logged('watching');
  expect(await get('/readyz')).toBe('200 ok\n');
  expect(await get('/metrics')).toContain('k2_controller_feeds{condition="Ready",status="True"} 0');
  const listed = stub.calls.filter(({ watch }) => !watch).map(({ path, query }) => [path, query.labelSelector]);
  const ours = 'app.kubernetes.io/managed-by=k2-feed-operator';
  expect(listed.toSorted()).toEqual([
    ['/api/v1/namespaces/market-data/pods', ours],
    ['/apis/apps/v1/namespaces/market-data/deployments', ours],
    ['/apis/feeds.k2.dev/v1alpha1/namespaces/market-data/exchangefeeds', undefined],
    ['/apis/policy/v1/namespaces/market-data/poddisruptionbudgets', ours],
  ]);

  controller.child.kill('SIGTERM');
  expect(await controller.exited).toBe(0);
  expect(controller.stderr()).toBe('');
});
