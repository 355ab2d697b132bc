// All that a controller meets at scale, on loopback: API server and controllers of Kubernetes, a kubelet of ours, a
// broker, a registry, and the chart's own account and rights for it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { provide } from '../cluster/artifact.ts';
import { helm } from '../cluster/artifacts.ts';
import { run } from '../cluster/command.ts';
import { bedStore } from '../e2e/bed.ts';
import { ControlPlane } from '../services/control-plane.ts';
import { endsWithUs } from '../services/java.ts';
import { kafka } from '../services/kafka.ts';
import { KafkaCluster } from '../services/kafka-cluster.ts';
import { freePort } from '../services/ports.ts';
import { registry, startRegistry } from '../services/registry.ts';
import { bundleController, Controller } from './controller.ts';
import { Kubelet } from './kubelet.ts';
import { type BrokerProxy, countBrokerRequests, countRegistryRequests, type RegistryProxy } from './requests.ts';

/** Where the chart is installed. */
export const namespace = 'k2-system';
const release = 'feeds';
const chart = join(import.meta.dirname, '..', '..', 'charts', 'k2-feed-operator');
/** Of kube-controller-manager, what turns Deployments into Pods and tidies up after what is deleted. */
const controllers = [
  'deployment-controller',
  'replicaset-controller',
  'garbage-collector-controller',
  'disruption-controller',
  'namespace-controller',
  'serviceaccount-controller',
];

export interface World {
  folder: string;
  plane: ControlPlane;
  kubelet: Kubelet;
  kafka: KafkaCluster;
  broker: BrokerProxy;
  registry: RegistryProxy & { pid: number };
  /** Who the controller is in the audit log. */
  user: string;
  /** Not started yet. @param server where it reaches the API server, if not directly */
  controller(name: string, server?: string): Promise<Controller>;
  close(): Promise<void>;
}

/** Of a rendered object, what is read here. */
interface Rendered {
  kind: string;
  metadata: { name: string };
  spec?: { template?: { spec: { serviceAccountName: string; containers: { env: EnvironmentVariable[] }[] } } };
}

interface EnvironmentVariable {
  name: string;
  value?: string;
  valueFrom?: { fieldRef?: { fieldPath: string } };
}

export async function startWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'k2-scale-'));
  const broker = countBrokerRequests();
  const [plane, kafkaCluster, schemas] = await Promise.all([
    ControlPlane.start({ controllers }),
    startBroker(folder, broker),
    startSchemas(folder),
  ]);
  const program = await bundleController(folder);
  const counted = await countRegistryRequests(schemas.url);
  const rendered = await render(kafkaCluster.advertisedServers, counted.url);
  await plane.kubectl('create', 'namespace', namespace);
  await plane.apply(...rendered.filter(({ kind }) => /^(ServiceAccount|(Cluster)?Role(Binding)?)$/.test(kind)));
  const pod = rendered.find(({ kind }) => kind === 'Deployment')?.spec?.template?.spec;
  if (pod === undefined) throw new Error('the chart has no Deployment');
  const env = pod.containers[0]?.env ?? [];
  const kubelet = new Kubelet(plane);
  return {
    ...{ folder, plane, kubelet, kafka: kafkaCluster, broker },
    registry: { ...counted, pid: schemas.pid },
    user: `system:serviceaccount:${namespace}:${pod.serviceAccountName}`,
    async controller(name, server) {
      const kubeconfig = await plane.kubeconfigOf(namespace, pod.serviceAccountName, server);
      return new Controller({ program, folder, name, kubeconfig, environment: environmentOf(env, name) });
    },
    async close() {
      await kubelet.close();
      process.kill(schemas.pid, 'SIGKILL');
      await Promise.all([plane.close(), kafkaCluster.close()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function startBroker(folder: string, proxy: BrokerProxy): Promise<KafkaCluster> {
  const jars = await provide(bedStore(console.log), await kafka());
  return KafkaCluster.start({
    jars,
    folder: join(folder, 'kafka'),
    brokers: 1,
    advertise: (_id, port) => proxy.proxyFor(port),
    // Thousands of empty partitions: 20 MiB of index each would be reserved.
    properties: { 'log.index.size.max.bytes': 65_536 },
  });
}

async function startSchemas(folder: string) {
  const app = await provide(bedStore(console.log), await registry());
  return startRegistry(app, folder, '127.0.0.1', await freePort('127.0.0.1'), ['setpriv', ...endsWithUs]);
}

/** What an install of the chart would send, without the CRD. */
async function render(bootstrapServers: string, schemaRegistryUrl: string): Promise<Rendered[]> {
  const program = join(await provide(bedStore(console.log), await helm()), 'helm');
  const values = { 'kafka.bootstrapServers': bootstrapServers, 'schemaRegistry.url': schemaRegistryUrl };
  const sets = Object.entries(values).flatMap(([name, value]) => ['--set-string', `${name}=${value}`]);
  const flags = ['--namespace', namespace, '--set', 'crds.enabled=false', ...sets];
  const text = await run([program, 'template', release, chart, ...flags]);
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Rendered | null)
    .filter((object) => object !== null);
}

/** As a kubelet would give it to the process. */
function environmentOf(env: EnvironmentVariable[], podName: string): Record<string, string> {
  const fields: Record<string, string> = { 'metadata.name': podName, 'metadata.namespace': namespace };
  return Object.fromEntries(
    env.map(({ name, value, valueFrom }) => [name, value ?? fields[valueFrom?.fieldRef?.fieldPath ?? ''] ?? '']),
  );
}
