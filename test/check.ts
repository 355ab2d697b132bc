// `make check`: the loop to run before each commit. The three parts run side by side; all report, even if one fails.
import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';

const parts: [title: string, command: string][] = [
  ['format and lint', 'biome check --error-on-warnings .'],
  ['types', 'tsc --noEmit'],
  ['unit tests and house rules', 'vitest run --project unit --no-color'],
];

async function run(title: string, command: string): Promise<boolean> {
  const started = performance.now();
  const child = spawn(command, { shell: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const output: Buffer[] = [];
  child.stdout.on('data', (data: Buffer) => output.push(data));
  child.stderr.on('data', (data: Buffer) => output.push(data));
  const code = await new Promise((resolve) => child.on('close', resolve));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${title} (${seconds} s): ${command}`);
  // Of what passed, only what was skipped and the closing lines.
  const lines = Buffer.concat(output).toString().split('\n');
  const kept = code === 0 ? lines.filter((line) => /SKIPPED|^ +(Test Files|Tests) /.test(line)) : lines;
  if (kept.length > 0) console.log(kept.join('\n'));
  return code === 0;
}

const passed = await Promise.all(parts.map(([title, command]) => run(title, command)));
process.exitCode = passed.every(Boolean) ? 0 : 1;
