// Starts the real worker as a process, for tests.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface LogLine {
  level: string;
  msg: string;
  [field: string]: unknown;
}

export interface WorkerProcess {
  child: ChildProcess;
  log: LogLine[];
  stderr: () => string;
  /** Resolves with the first log line, past or future, that fits. */
  logged(fits: (line: LogLine) => boolean): Promise<LogLine>;
  /** Body of a page; the port is the one that the worker logs. */
  get(path: string): Promise<{ status: number; body: string }>;
  /** Resolves with the exit code. */
  exited: Promise<number | null>;
}

/** @param environment the worker's whole environment beside PATH */
export function startWorker(environment: Record<string, string>): WorkerProcess {
  const root = new URL('../..', import.meta.url);
  const child = spawn(process.execPath, ['worker/main.ts'], {
    cwd: root,
    env: { PATH: process.env.PATH, K2_HTTP_PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const waiters: ((line: LogLine) => void)[] = [];
  const worker: WorkerProcess = {
    child,
    log: [],
    stderr: () => stderr,
    logged(fits) {
      const known = worker.log.find(fits);
      if (known) return Promise.resolve(known);
      return new Promise((resolve) => waiters.push((line) => fits(line) && resolve(line)));
    },
    async get(path) {
      const { port } = await worker.logged(({ msg }) => msg === 'started');
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      return { status: response.status, body: await response.text() };
    },
    exited: once(child, 'close').then(([code]) => code as number | null),
  };
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as LogLine;
    worker.log.push(line);
    for (const wait of waiters) wait(line);
  });
  return worker;
}
