// Runs the normalize program as a process of its own, and reads its summary.
import { spawn } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** A recording of our own: frames written after the exchange's documentation, and what must come of them. */
export const ownRecording = (file: string): string => join(root, 'test/recordings', file);

export interface Ran {
  code: number | null;
  output: string;
  errors: string;
}

/** A program from its first byte of input to its end. */
export async function run(command: string, args: string[], input: Buffer): Promise<Ran> {
  const child = spawn(command, args, { cwd: root });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (chunk) => output.push(chunk));
  child.stderr.on('data', (chunk) => errors.push(chunk));
  // One that refuses its arguments may be gone before it gets its input.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => child.on('close', resolve).on('error', reject));
  return { code, output: Buffer.concat(output).toString(), errors: Buffer.concat(errors).toString() };
}

export const normalize = (args: string[], input: Buffer): Promise<Ran> =>
  run(process.execPath, [join(root, 'worker/normalize.ts'), ...args], input);

/** The figure of a line of the summary: 3 of `trades: 3`. */
export const figure = (summary: string, name: string): number =>
  Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(summary)?.[1]);
