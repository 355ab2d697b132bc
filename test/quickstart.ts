// `make quickstart`: what a new user would type, step by step, on a cluster of its own; ends with decoded trades.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { up } from './cluster/bed.ts';
import { StepFailed, step } from './cluster/step.ts';
import { bedStore, openBed } from './e2e/bed.ts';
import { deploySimulator, installOperator, kubectl, namespace, topicNormalized } from './e2e/operator.ts';
import { eventually, run } from './e2e/process.ts';

const root = join(import.meta.dirname, '..');
const example = join(root, 'examples/binance-simulated.yaml');
/** Live figures in the status are written every 30 s at most. */
const liveMs = 90_000;

async function quickstart(): Promise<void> {
  const store = bedStore(console.log);
  const { reporter } = store;
  console.log(
    'Quick start: a cluster, a broker, a schema registry and a simulated exchange, then the operator and a feed',
  );
  await up(store, process.env);
  const bed = await openBed();
  const next = '`make down`, then try again; `kubectl describe pods -A` (see the export line of `node test/bed.ts up`)';

  await step(reporter, 'Simulated exchange: deploy', next, () => deploySimulator(bed));
  await step(reporter, 'Operator: helm install', next, () => installOperator(bed));
  await step(reporter, 'kubectl apply -f examples/binance-simulated.yaml', next, () =>
    kubectl(bed, '-n', namespace, 'apply', '-f', example),
  );
  await step(reporter, 'kubectl wait --for=condition=Ready exchangefeed/binance', next, () =>
    kubectl(bed, '-n', namespace, 'wait', '--for=condition=Ready', 'exchangefeed/binance', '--timeout=90s'),
  );
  const table = await step(reporter, 'Live figures in the status', next, () =>
    eventually('live figures', liveMs, async () => {
      const json = await kubectl(bed, '-n', namespace, 'get', 'exchangefeed', 'binance', '-o', 'json');
      const { live } = JSON.parse(json).status;
      if (!(live?.tradesPerSecond > 0)) throw new Error(`live: ${JSON.stringify(live)}`);
      return kubectl(bed, '-n', namespace, 'get', 'exchangefeeds');
    }),
  );
  console.log(`\n$ kubectl get exchangefeeds -n ${namespace}\n${table}`);
  const show = [join(root, 'test/show-trades.ts'), bed.bootstrapServers, bed.schemaRegistryUrl, topicNormalized, '5'];
  console.log('Five trades from the normalized topic, decoded:');
  console.log(await run('node', ['--disable-warning=TimeoutNegativeWarning', '--disable-warning=DEP0169', ...show]));
  console.log(`Go on by yourself:
  export KUBECONFIG=${bed.kubeconfig} PATH=${dirname(bed.kubectl)}:${dirname(bed.helm)}:$PATH
  kubectl describe exchangefeed binance -n ${namespace}
  kubectl edit exchangefeed binance -n ${namespace}
  make down        # ends all of it
Done in ${(performance.now() / 1000).toFixed(0)} s. The manifest that was applied:

${readFileSync(example, 'utf8')}`);
}

try {
  await quickstart();
} catch (error) {
  if (!(error instanceof StepFailed)) console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
