// The real controller program, for tests of it; it ends with the test.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';

const environment = {
  K2_KAFKA_BOOTSTRAP_SERVERS: '127.0.0.1:1',
  K2_KAFKA_SCHEMA_REGISTRY_URL: 'http://127.0.0.1:1',
  K2_WORKER_IMAGE: 'k2/worker:1',
  K2_HTTP_PORT: '0',
  // A start mostly compiles the same files again. https://nodejs.org/api/module.html#module-compile-cache
  NODE_COMPILE_CACHE: join(tmpdir(), `k2-compile-cache-${process.getuid?.()}`),
};

export function startController(changes: Record<string, string>) {
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

/** The path of a kubeconfig without credentials. */
export async function kubeConfigFor(url: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'k2-controller-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'kubeconfig');
  const clusters = [{ name: 'stub', cluster: { server: url, 'insecure-skip-tls-verify': true } }];
  const contexts = [{ name: 'stub', context: { cluster: 'stub', user: 'nobody' } }];
  const users = [{ name: 'nobody', user: {} }];
  await writeFile(path, JSON.stringify({ clusters, contexts, users, 'current-context': 'stub' }));
  return path;
}
