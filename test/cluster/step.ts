// What a person sees while the test bed is made: one line when a step starts, one when it ends with its duration,
// one every 15 s in between; and when a command fails, all that is needed to go on from there.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailed, type CommandOptions, run } from './command.ts';

/** A person doubts a silent command after about this long. */
const progressMs = 15_000;
/** A line of progress must fit on one line of a terminal. */
const progressWidth = 100;

export interface Reporter {
  /** Folder of one log file for each step. */
  logs: string;
  print(line: string): void;
  /** Milliseconds; only differences count. */
  now(): number;
}

export interface Step {
  /** Runs a command, its output in the step's log; resolves to its standard output. @throws CommandFailed */
  run(command: readonly string[], options?: CommandOptions): Promise<string>;
  /** What the next line of progress says. */
  note(line: string): void;
}

/** A step that failed and was reported already: whoever catches it has nothing left to print. */
export class StepFailed extends Error {}

/**
 * Does one piece of work and says so.
 * @param title what is done, and why if that is not plain
 * @param whatNext what to do when it fails
 * @throws StepFailed after the reason, the log file and `whatNext` were printed
 */
export async function step<T>(
  reporter: Reporter,
  title: string,
  whatNext: string,
  work: (step: Step) => Promise<T>,
): Promise<T> {
  const started = reporter.now();
  const elapsed = () => seconds(reporter.now() - started);
  const log = join(reporter.logs, `${slug(title)}.log`);
  rmSync(log, { force: true });
  let latest = '';
  reporter.print(`  ${title} ...`);
  const progress = setInterval(
    () => reporter.print(`  ${title}: ${elapsed()} so far${latest && `, ${latest.slice(0, progressWidth)}`}`),
    progressMs,
  );
  const note = (line: string) => {
    latest = line;
  };
  try {
    const result = await work({
      note,
      run: (command, options = {}) => run(command, { ...options, log, onLine: note }),
    });
    reporter.print(`  ${title}: ${elapsed()}`);
    return result;
  } catch (error) {
    if (error instanceof StepFailed) throw error;
    const lines = error instanceof CommandFailed ? error.lastLines : [];
    reporter.print(
      [
        `  ${title}: FAILED after ${elapsed()}`,
        `    ${error instanceof Error ? error.message : error}`,
        ...lines.map((line) => `    | ${line}`),
        ...(error instanceof CommandFailed ? [`    log: ${log}`] : []),
        `    next: ${whatNext}`,
      ].join('\n'),
    );
    throw new StepFailed(title, { cause: error });
  } finally {
    clearInterval(progress);
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function slug(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 60);
}
