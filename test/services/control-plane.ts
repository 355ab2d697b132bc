// A real etcd and API server on loopback, as plain processes that a test may kill, pause and start: no root, no network
// namespaces, no lock, and as many of them side by side as fit. They end with whoever started them.
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { KubeConfig } from '@kubernetes/client-node';
import { provide } from '../cluster/artifact.ts';
import { kube } from '../cluster/artifacts.ts';
import { CommandFailed, type CommandOptions, run } from '../cluster/command.ts';
import { makeCertificates } from '../cluster/local/certificates.ts';
import {
  apiserverFlags,
  type ControlPlaneAddresses,
  controllerManagerFlags,
  etcdFlags,
} from '../cluster/local/components.ts';
import { isAlive, startDetached } from '../cluster/processes.ts';
import { Hopeless, until } from '../cluster/until.ts';
import { bedStore } from '../e2e/bed.ts';
import { endsWithUs } from './java.ts';
import { freePort } from './ports.ts';

const address = '127.0.0.1';
const crd = join(import.meta.dirname, '..', '..', 'crds', 'exchange-feed.yaml');
/** Three seconds alone, twenty times as long beside a build. */
const startMs = 60_000;
const endMs = 10_000;
/** No test runs that long. */
const tokenDuration = '24h';
/** Megabytes after which the API server would begin another file: more than any test writes. */
const auditLogMegabytes = 4096;

export type Part = 'etcd' | 'kube-apiserver' | 'kube-controller-manager';

export interface ControlPlaneOptions {
  /** Its controllers by name, `--controllers`; absent: none runs, and nothing makes ReplicaSets, Pods, or tidies up. */
  controllers?: readonly string[];
  /** Whether feeds can be applied from the start; true when absent. */
  feeds?: boolean;
  /** Added to those of each start of the API server: `--watch-cache=false` and the like. */
  apiServerFlags?: readonly string[];
}

/** One request as the API server recorded it when it was answered. */
export interface AuditEvent {
  /** ResponseStarted: of a watch, when it began. */
  stage: 'ResponseStarted' | 'ResponseComplete' | 'Panic';
  verb: string;
  requestURI: string;
  userAgent?: string;
  user: { username: string; extra?: Record<string, string[]> };
  objectRef?: { resource: string; subresource?: string; apiGroup?: string; namespace?: string; name?: string };
  responseStatus?: { code: number };
  requestReceivedTimestamp: string;
  annotations?: Record<string, string>;
}

export class ControlPlane {
  /** Base URL of the API server. */
  readonly server: string;
  /** Of its administrator; the path of a file. */
  readonly kubeconfig: string;
  /** Path of the program. */
  readonly kubectlProgram: string;
  /** One AuditEvent on each line, metadata only; it grows while requests are answered. */
  readonly auditLog: string;
  /** Logs of the parts are `<part>.log` in it. */
  readonly folder: string;
  readonly #addresses: ControlPlaneAddresses;
  readonly #commands: ReadonlyMap<Part, readonly string[]>;
  readonly #pids = new Map<Part, number>();
  #kubeconfigs = 0;

  private constructor(folder: string, program: string, addresses: ControlPlaneAddresses, options: ControlPlaneOptions) {
    this.server = serverOf(addresses);
    this.kubeconfig = addresses.pki('admin.kubeconfig');
    this.kubectlProgram = join(program, 'kubectl');
    this.auditLog = join(folder, 'audit.log');
    this.folder = folder;
    this.#addresses = addresses;
    this.#commands = commands(join(program, 'kube'), folder, addresses, options);
  }

  /** Builds Kubernetes first when the cache has none, which takes minutes and Go. */
  static async start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const program = await provide(bedStore(console.log), await kube());
    const folder = await mkdtemp(join(tmpdir(), 'k2-control-plane-'));
    const [clients, peers, apiPort] = [await freePort(address), await freePort(address), await freePort(address)];
    const addresses = {
      etcdClients: `http://${address}:${clients}`,
      etcdPeers: `http://${address}:${peers}`,
      etcdData: join(folder, 'etcd'),
      apiAddress: address,
      apiPort,
      pki: (name: string) => join(folder, 'certificates', name),
    };
    await makeCertificates(join(folder, 'certificates'), serverOf(addresses));
    await writeFile(join(folder, 'audit-policy.yaml'), auditPolicy);
    const plane = new ControlPlane(folder, program, addresses, options);
    try {
      for (const part of plane.#commands.keys()) await plane.start(part);
      if (options.feeds ?? true) await plane.#installFeeds();
      return plane;
    } catch (error) {
      await plane.close();
      throw error;
    }
  }

  /** For code that calls the API as the administrator. */
  get kubeConfig(): KubeConfig {
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromFile(this.kubeconfig);
    return kubeConfig;
  }

  /** As the administrator; resolves to standard output. @throws Error with kubectl's words */
  kubectl(...words: string[]): Promise<string> {
    return this.#kubectl(words);
  }

  /** `kubectl apply` of objects as they are written in JavaScript. @throws Error with kubectl's words */
  apply(...objects: readonly object[]): Promise<string> {
    const list = { apiVersion: 'v1', kind: 'List', items: objects };
    return this.#kubectl(['apply', '--server-side', '-f', '-'], { input: JSON.stringify(list) });
  }

  /**
   * The path of a kubeconfig for a ServiceAccount that exists, with a token of its own: the audit log tells apart who
   * has which. Its namespace is that of the account, as a pod's is.
   * @param server where the API server is reached, if not directly
   */
  async kubeconfigOf(namespace: string, account: string, server = this.server): Promise<string> {
    const token = await this.kubectl('create', 'token', account, '-n', namespace, '--duration', tokenDuration);
    const kubeConfig = this.kubeConfig;
    const context = { name: account, cluster: account, user: account, namespace };
    kubeConfig.loadFromOptions({
      clusters: kubeConfig.clusters.map((cluster) => ({ ...cluster, name: account, server })),
      users: [{ name: account, token: token.trim() }],
      contexts: [context],
      currentContext: context.name,
    });
    const path = join(this.folder, `${namespace}-${account}-${++this.#kubeconfigs}.kubeconfig`);
    await writeFile(path, kubeConfig.exportConfig(), { mode: 0o600 });
    return path;
  }

  /** SIGKILL, as a crash; resolves when it is gone. */
  async kill(part: Part): Promise<void> {
    const pid = this.pid(part);
    if (!isAlive(pid)) return;
    process.kill(pid, 'SIGKILL');
    await until(`${part} to end`, endMs, () => (isAlive(pid) ? undefined : true));
  }

  /** Starts a part that has ended, with the data that there is; resolves when it is ready. */
  async start(part: Part): Promise<void> {
    const log = join(this.folder, `${part}.log`);
    const command = this.#commands.get(part);
    if (command === undefined) throw new Error(`no ${part}: this control plane was started without it`);
    this.#pids.set(part, startDetached(this.folder, ['setpriv', ...endsWithUs, ...command], { log }));
    await until(`${part}, see ${log}`, startMs, () => {
      if (!isAlive(this.pid(part))) throw new Hopeless(`${part} ended while it started, see ${log}`);
      return this.#isReady(part);
    });
  }

  /** It keeps its connections, and answers nothing. */
  pause(part: Part): void {
    process.kill(this.pid(part), 'SIGSTOP');
  }

  resume(part: Part): void {
    process.kill(this.pid(part), 'SIGCONT');
  }

  pid(part: Part): number {
    const pid = this.#pids.get(part);
    if (pid === undefined) throw new Error(`${part} was never started`);
    return pid;
  }

  /**
   * Makes etcd forget all history, as it does every five minutes by the API server's own wish. A watch from before
   * gets 410 once the API server does not have it in its own memory, as after its restart.
   */
  async compact(): Promise<void> {
    // The names of etcd's gateway from JSON to gRPC: https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/
    const post = async (path: string, body: object) => {
      const answer = await fetch(`${this.#addresses.etcdClients}${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error(`etcd answered ${answer.status} to ${path}: ${await answer.text()}`);
      return (await answer.json()) as { header: { revision: string } };
    };
    const { header } = await post('/v3/kv/range', { key: btoa('k') });
    await post('/v3/kv/compaction', { revision: header.revision, physical: true });
  }

  /** Where the audit log ends now: a place to read from later, in bytes. */
  async auditEnd(): Promise<number> {
    return (await stat(this.auditLog)).size;
  }

  /** What was answered after that place. */
  async *audited(from = 0): AsyncGenerator<AuditEvent, void, void> {
    const end = await this.auditEnd();
    if (end <= from) return;
    const file = createReadStream(this.auditLog, { start: from, end: end - 1 });
    for await (const line of createInterface(file)) yield JSON.parse(line) as AuditEvent;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pids.keys()].map((part) => this.kill(part)));
    await rm(this.folder, { recursive: true, force: true });
  }

  async #kubectl(words: readonly string[], options?: CommandOptions): Promise<string> {
    try {
      return await run([this.kubectlProgram, '--kubeconfig', this.kubeconfig, ...words], options);
    } catch (error) {
      const said = error instanceof CommandFailed ? error.lastLines.join('\n') : '';
      throw new Error(`kubectl ${words.join(' ')}: ${said || error}`, { cause: error });
    }
  }

  async #isReady(part: Part): Promise<true | undefined> {
    if (part === 'etcd') return (await fetch(`${this.#addresses.etcdClients}/health`)).ok ? true : undefined;
    // Objects can be applied once the namespace is there, which comes after /readyz; Pods once there is an account.
    if (part === 'kube-apiserver') await this.kubectl('get', '--raw', '/readyz', '--request-timeout=2s');
    const [kind, name] = part === 'kube-apiserver' ? ['namespace', 'default'] : ['serviceaccount', 'default'];
    await this.kubectl('get', kind, name, '--request-timeout=2s');
    return true;
  }

  async #installFeeds(): Promise<void> {
    await this.kubectl('apply', '--server-side', '-f', crd);
    // It fails at once while the CRD has no conditions at all.
    const wait = ['wait', '--for=condition=Established', '-f', crd, `--timeout=${startMs / 1000}s`];
    await until('feeds to be served', startMs, () => this.kubectl(...wait));
  }
}

const serverOf = ({ apiAddress, apiPort }: ControlPlaneAddresses) => `https://${apiAddress}:${apiPort}`;

/** In the order in which they need each other. */
function commands(
  program: string,
  folder: string,
  addresses: ControlPlaneAddresses,
  { controllers, apiServerFlags = [] }: ControlPlaneOptions,
): Map<Part, string[]> {
  const apiServer = [
    ...apiserverFlags(addresses),
    // A Service cannot lead to loopback, and nobody here would use it.
    '--endpoint-reconciler-type=none',
    // As strict as a cluster can be about owner references; OpenShift is.
    '--enable-admission-plugins=OwnerReferencesPermissionEnforcement',
    `--audit-policy-file=${join(folder, 'audit-policy.yaml')}`,
    `--audit-log-path=${join(folder, 'audit.log')}`,
    // A test that has its answer finds it in the log.
    '--audit-log-mode=blocking-strict',
    `--audit-log-maxsize=${auditLogMegabytes}`,
    ...apiServerFlags,
  ];
  const all = new Map<Part, string[]>([
    ['etcd', [program, 'etcd', ...etcdFlags(addresses)]],
    ['kube-apiserver', [program, 'kube-apiserver', ...apiServer]],
  ]);
  if (controllers === undefined) return all;
  const flags = [...controllerManagerFlags(addresses.pki), '--secure-port=0', `--controllers=${controllers.join()}`];
  return all.set('kube-controller-manager', [program, 'kube-controller-manager', ...flags]);
}

/** Each request once, when it was answered; of a watch, when it began and when it ended. */
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
`;
