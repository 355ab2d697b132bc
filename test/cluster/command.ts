// Runs the commands the test bed is made with: output kept in a log, and enough of it for an error that helps.
import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/** Lines kept for the error: enough to hold a compiler's or installer's closing words. */
const lastLinesKept = 20;

export interface CommandOptions {
  cwd?: string;
  /** Added to this process's environment; undefined removes a variable. */
  env?: Record<string, string | undefined>;
  input?: string;
  /** File to which all output is added. */
  log?: string;
  onLine?: (line: string) => void;
}

/** A command that could not be started or did not end with exit code 0. */
export class CommandFailed extends Error {
  readonly lastLines: readonly string[];

  constructor(command: readonly string[], exit: string, lastLines: readonly string[]) {
    super(`\`${command.join(' ')}\` ended with ${exit}`);
    this.lastLines = lastLines;
  }
}

/** Resolves to the command's standard output. @throws CommandFailed */
export function run(command: readonly string[], options: CommandOptions = {}): Promise<string> {
  const [file = '', ...args] = command;
  if (options.log) mkdirSync(dirname(options.log), { recursive: true });
  // Written at once, so that the log is whole when the command has ended, or we are killed.
  const log = (text: string | Buffer) => options.log && appendFileSync(options.log, text);
  log(`$ ${command.join(' ')}\n`);
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: options.cwd, env: { ...process.env, ...options.env } });
    const stdout: Buffer[] = [];
    let tail: string[] = [];
    const keep = (chunk: Buffer) => {
      log(chunk);
      const lines = chunk.toString().split(/[\r\n]+/);
      tail = [...tail, ...lines.filter((line) => line.trim() !== '')].slice(-lastLinesKept);
      options.onLine?.(tail.at(-1)?.trim() ?? '');
    };
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    // A command that does not read all of its input is judged by its exit code alone.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input);
    child.on('error', (error) => {
      reject(new CommandFailed(command, `no start (${error.message})`, []));
    });
    child.on('close', (code, signal) => {
      if (code === 0) resolve(Buffer.concat(stdout).toString());
      else reject(new CommandFailed(command, signal ? `signal ${signal}` : `exit code ${code}`, tail));
    });
  });
}
