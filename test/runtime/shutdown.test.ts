// The signals of a real process: it is the kernel that delivers them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';

const shutdown = new URL('../../runtime/shutdown.ts', import.meta.url).href;

/** Runs a program that gets one of the signals for each line it prints, and ends by itself or by them. */
async function exitOf(program: string, signals: NodeJS.Signals[]): Promise<[code: number | null, output: string]> {
  const child = spawn('node', ['--input-type=module', '-e', `import '${shutdown}';\n${program}`]);
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data;
    const signal = signals.shift();
    if (signal) child.kill(signal);
  });
  const [code] = await once(child, 'exit');
  return [code, output];
}

const wait = "const timer = setInterval(() => {}, 1000); console.log('up');";
const listen = `import { shutdownSignal } from '${shutdown}';
  const signal = shutdownSignal();
  signal.addEventListener('abort', () => console.log(signal.reason.message));`;

test('a signal aborts once, and the program ends in its own order', async () => {
  const program = `${listen} signal.addEventListener('abort', () => clearInterval(timer)); ${wait}`;
  expect(await exitOf(program, ['SIGTERM'])).toEqual([0, 'up\nSIGTERM\n']);
});

test('a second signal ends the program at once', async () => {
  expect(await exitOf(`${listen} ${wait}`, ['SIGTERM', 'SIGINT'])).toEqual([130, 'up\nSIGTERM\n']);
});

test('a signal ends a program that is still being loaded', async () => {
  expect(await exitOf(wait, ['SIGTERM'])).toEqual([143, 'up\n']);
});
