// The real controller as a process of its own: the bundle and the command line of its image, the environment and the
// rights that the chart gives it.
import { readFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../cluster/command.ts';
import { isAlive, startDetached } from '../cluster/processes.ts';
import { Hopeless, until } from '../cluster/until.ts';
import { endsWithUs } from '../services/java.ts';
import { freePort } from '../services/ports.ts';
import { type Histogram, histogramOf, sumOf } from './prometheus.ts';

const root = join(import.meta.dirname, '..', '..');
const startMs = 60_000;
/** A paused controller accepts connections, and answers nothing. */
const metricsMsMax = 5_000;
/** Its Deployment's grace period, nearly. */
const endMs = 25_000;
/** What Linux counts CPU time in, whatever the kernel's own tick: https://man7.org/linux/man-pages/man5/proc.5.html */
const ticksPerSecond = 100;
const pageBytes = 4096;

/** The command of the image, without the names of programs. */
function entryFlags(): string[] {
  const [, entry = '[]'] = /^ENTRYPOINT (.+)$/m.exec(readFileSync(join(root, 'Dockerfile.controller'), 'utf8')) ?? [];
  return (JSON.parse(entry) as string[]).slice(1, -1);
}

/** Bundles it as the image does. @returns the path of the program */
export async function bundleController(folder: string): Promise<string> {
  await run([process.execPath, join(root, 'scripts', 'bundle.ts'), 'controller'], { cwd: root });
  const program = join(folder, 'controller.mjs');
  await copyFile(join(root, 'build', 'controller.mjs'), program);
  return program;
}

export interface ControllerOptions {
  /** Of bundleController(). */
  program: string;
  /** Of its log, `<name>.log`, which begins anew with each start. */
  folder: string;
  name: string;
  kubeconfig: string;
  /** As the chart sets it. */
  environment: Record<string, string>;
}

export class Controller {
  readonly #options: ControllerOptions;
  /** Added to the environment at the next start. */
  environment: Record<string, string> = {};
  #pid = 0;
  #port = 0;

  constructor(options: ControllerOptions) {
    this.#options = options;
  }

  /** Resolves when it listens; its watches may not be complete yet. */
  async start(): Promise<void> {
    const { program, folder, name, kubeconfig, environment } = this.#options;
    const log = join(folder, `${name}.log`);
    this.#port = await freePort('127.0.0.1');
    const own = { KUBECONFIG: kubeconfig, K2_HTTP_PORT: String(this.#port), K2_SCHEMA_PATH: join(root, 'schemas') };
    const env = { ...environment, ...own, ...this.environment };
    const command = ['setpriv', ...endsWithUs, process.execPath, ...entryFlags(), program];
    this.#pid = startDetached(folder, command, { log, env, cwd: folder });
    await until(`the controller, see ${log}`, startMs, async () => {
      if (!isAlive(this.#pid)) throw new Hopeless(`the controller ended while it started, see ${log}`);
      return (await fetch(`http://127.0.0.1:${this.#port}/healthz`)).ok ? true : undefined;
    });
  }

  get isAlive(): boolean {
    return isAlive(this.#pid);
  }

  /** SIGTERM: in good order; SIGKILL: as a crash. Resolves when it is gone. */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.isAlive) process.kill(this.#pid, signal);
    await until('the controller to end', endMs, () => (this.isAlive ? undefined : true));
  }

  pause(): void {
    process.kill(this.#pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.#pid, 'SIGCONT');
  }

  async #metrics(): Promise<string> {
    const signal = AbortSignal.timeout(metricsMsMax);
    return (await fetch(`http://127.0.0.1:${this.#port}/metrics`, { signal })).text();
  }

  /** The sum over all label values that fit; 0 where there is none. */
  async metric(name: string, labels: Record<string, string> = {}): Promise<number> {
    return sumOf(await this.#metrics(), name, labels);
  }

  async histogram(name: string): Promise<Histogram> {
    return histogramOf(await this.#metrics(), name);
  }

  /** Of all its threads so far, user and system, seconds. */
  cpuSeconds(): number {
    const text = readFileSync(`/proc/${this.#pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
  }

  residentBytes(): number {
    return Number(readFileSync(`/proc/${this.#pid}/statm`, 'utf8').split(' ')[1]) * pageBytes;
  }
}
