// Runs other programs for the end-to-end tests: their output on success, all their words on failure.
import { spawn } from 'node:child_process';

export interface RunOptions {
  input?: string;
  env?: Record<string, string>;
  /** Default 60 s; no program of these tests takes longer. */
  timeoutMs?: number;
}

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export async function outcomeOf(command: string, args: string[], options: RunOptions = {}): Promise<Outcome> {
  const child = spawn(command, args, {
    env: { ...process.env, ...options.env },
    timeout: options.timeoutMs ?? 60_000,
    killSignal: 'SIGKILL',
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (data: Buffer) => stdout.push(data));
  child.stderr.on('data', (data: Buffer) => stderr.push(data));
  child.stdin.end(options.input ?? '');
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode, signal) => resolve(exitCode ?? (signal === null ? 1 : 137)));
  });
  return { code, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
}

/** @throws Error with the command, its exit code and what it said */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await outcomeOf(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}\nexit code ${code}\n${stdout}${stderr}`);
  return stdout;
}

/**
 * Asks until an answer is there, at most for `withinMs`; for outside things that tell no one when they change.
 * @throws Error with `what` and the last answer's reason
 */
export async function eventually<T>(what: string, withinMs: number, ask: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs / 1000} s; at last: ${error}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
