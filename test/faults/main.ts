// `make faults`: the whole system on the real cluster, at a steady load, under faults drawn from a seed; ends with what
// was made against what was written, and with the auditor. It leaves the bed up: `make down` ends it.
import * as testBed from '../cluster/bed.ts';
import { StepFailed, step } from '../cluster/step.ts';
import { bedStore, openBed } from '../e2e/bed.ts';
import { installOperator } from '../e2e/operator.ts';
import { faults } from './kinds/index.ts';
import { parseOptions } from './options.ts';
import { deleteFeeds, runFaults } from './run.ts';
import { openSystem } from './start.ts';

async function main(): Promise<number> {
  const [argument] = process.argv.slice(2);
  if (argument !== undefined) throw new Error(`${argument}: it takes variables only, as in FAULTS=30 SEED=1`);
  const options = parseOptions(
    process.env,
    faults.map(({ name }) => name),
  );
  const store = bedStore(console.log);
  const next = '`make down`, then try again';
  await testBed.up(store, { ...process.env, K2_CLUSTER: 'local' });
  await step(store.reporter, 'Operator: helm install', next, async () => installOperator(await openBed()));
  const system = await openSystem(store, options.delivery, console.log);
  const minutes = options.minutes === null ? '' : `, at most ${options.minutes} minutes`;
  console.log(`fault run of seed ${options.seed}: ${options.faults} faults${minutes}`);
  const kinds = faults.filter(({ name }) => options.kinds?.includes(name) ?? true);
  const result = await runFaults(system, kinds, options, console.log);
  if (result.isExact) await deleteFeeds(system);
  await system.close();
  if (result.failure !== null) console.log(`\nFAILED: ${result.failure}`);
  console.log(`\nseed ${options.seed}: ${result.isExact ? 'passed' : 'FAILED; the feeds are left as they are'}`);
  return result.isExact ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof StepFailed)) console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
