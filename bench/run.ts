// `make bench`: measures on a bed of its own or on the one that is up, and writes docs/benchmarks.md.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import * as bed from '../test/cluster/bed.ts';
import { readBed } from '../test/cluster/record.ts';
import { bedStore, openBed } from '../test/e2e/bed.ts';
import { systemSection } from './system.ts';
import { transactionsSection } from './transactions.ts';
import { workerSection } from './worker.ts';

const root = new URL('..', import.meta.url);
const store = bedStore(console.log);
const wasUp = (await readBed(store.folders.state))?.cluster != null;
await bed.up(store, process.env);
try {
  const opened = await openBed();
  // Of the minute before: others' share of the machine.
  const load = loadavg()[0]?.toFixed(1);
  const system = await systemSection(opened);
  const worker = await workerSection(opened.bootstrapServers, opened.schemaRegistryUrl);
  const transactions = await transactionsSection(opened.bootstrapServers);
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim()}, Linux ${release()}`;
  const page = `# Benchmarks

Written by \`make bench\`: commit ${commit}, Node ${process.version}, ${machine}.
Load of the minute before: ${load}; whatever else the machine did makes these figures worse.

## The system

${system}
## The worker's code

${worker}
## Transactions

${transactions}`;
  writeFileSync(new URL('docs/benchmarks.md', root), page);
  console.log(page);
} finally {
  if (!wasUp) await bed.down(store);
}
