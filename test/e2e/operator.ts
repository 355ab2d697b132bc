// Steps that a person takes with this project, for the quick start and the end-to-end tests: the same commands.
import { join } from 'node:path';
import { type SimulatorControl, simulatorControl } from '../simulator/control.ts';
import type { Bed } from './bed.ts';
import { eventually, run } from './process.ts';

/** Where the operator and the feeds live; it enforces the restricted Pod Security profile. */
export const namespace = 'k2-feeds';
export const release = 'feeds';
/** Of test/simulator/deploy.yaml. */
const simulatorNodePort = 30880;

const root = join(import.meta.dirname, '../..');

export const topicNormalized = 'market.crypto.trades.binance';

/** @throws Error with kubectl's words */
export function kubectl(bed: Bed, ...args: string[]): Promise<string> {
  return run(bed.kubectl, args, { env: { KUBECONFIG: bed.kubeconfig }, timeoutMs: 180_000 });
}

export async function deploySimulator(bed: Bed): Promise<SimulatorControl> {
  await kubectl(bed, 'apply', '-f', join(root, 'test/simulator/deploy.yaml'));
  await kubectl(bed, '-n', 'exchange-simulator', 'rollout', 'status', 'deploy/exchange-simulator', '--timeout=120s');
  const simulator = simulatorControl(`http://${bed.nodeAddress}:${simulatorNodePort}`);
  // A Service's rules follow its ready pods, and nothing says when.
  await eventually('the simulator at its NodePort', 30_000, () => simulator.state());
  return simulator;
}

/** Chart values that name the images built from this checkout. */
export const imageValues = {
  'image.registry': '',
  'image.repository': 'k2-feed-operator/controller',
  'image.tag': 'dev',
  'worker.image.registry': '',
  'worker.image.repository': 'k2-feed-operator/worker',
  'worker.image.tag': 'dev',
};

export function toFlags(values: Record<string, string>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ['--set-string', `${name}=${value}`]);
}

/** `helm install` (or upgrade) of the chart with the images built from this checkout. */
export async function installOperator(bed: Bed): Promise<void> {
  await run(bed.kubectl, ['apply', '-f', '-'], {
    env: { KUBECONFIG: bed.kubeconfig },
    input: JSON.stringify({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    }),
  });
  const addresses = { 'kafka.bootstrapServers': bed.bootstrapServers, 'schemaRegistry.url': bed.schemaRegistryUrl };
  const flags = [...toFlags(addresses), ...toFlags(imageValues)];
  const chart = join(root, 'charts/k2-feed-operator');
  await run(
    bed.helm,
    ['upgrade', '--install', release, chart, '--namespace', namespace, ...flags, '--wait', '--timeout', '120s'],
    { env: { KUBECONFIG: bed.kubeconfig }, timeoutMs: 180_000 },
  );
}
