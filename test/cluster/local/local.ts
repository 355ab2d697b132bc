// The provider `local`: a single-node Kubernetes out of real parts, up in seconds, that needs root and nothing else
// from the machine. Read `start` for the order in which the parts come up, and why.

import { statSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Artifact, provide, type Store } from '../artifact.ts';
import { coredns, kube, pause } from '../artifacts.ts';
import type { Access, Cluster } from '../cluster.ts';
import { run } from '../command.ts';
import { writeImageArchive } from '../image-archive.ts';
import { type Step, step } from '../step.ts';
import { until } from '../until.ts';
import { dnsReadyPort, hostAddress, nodeAddress, nodeName, proxyHealthPort } from './addresses.ts';
import { apiGet, type NodeObject } from './api.ts';
import { makeCertificates } from './certificates.ts';
import { type Component, componentCommands, componentNames } from './components.ts';
import { pauseImage, writeConfiguration } from './configuration.ts';
import { type Layout, localLayout } from './layout.ts';
import * as namespaces from './namespaces.ts';

/** Each takes about a second alone; ten times as long beside a build on the same two cores. */
const readyMs = 60_000;

export class LocalCluster implements Cluster {
  readonly name = 'local';
  readonly #store: Store;
  readonly #layout: Layout;

  readonly #artifacts: Artifact[];

  constructor(store: Store, artifacts: Artifact[]) {
    this.#store = store;
    this.#artifacts = artifacts;
    this.#layout = localLayout(store.folders.state);
  }

  async refuseTaken(): Promise<void> {
    if (namespaces.namespacesInit(this.#state) === undefined) await namespaces.refuseTakenAddresses(this.#state);
  }

  async artifacts(): Promise<Artifact[]> {
    return this.#artifacts;
  }

  services(): null {
    return null;
  }

  async up(): Promise<Access> {
    const [kubeFolder, corednsFolder, pauseFolder] = await this.#provideAll();
    const access = {
      kubeconfig: join(this.#layout.certificates, 'admin.kubeconfig'),
      kubectl: join(kubeFolder, 'kubectl'),
      hostAddress,
      nodeAddress,
    };
    if (await this.#isReady()) return access;
    const whatNext = `look into ${this.#layout.logs}/; \`make down\` takes away what is left`;
    await step(this.#store.reporter, 'Kubernetes: start a node in namespaces of its own', whatNext, async (current) => {
      await namespaces.closeNamespaces(this.#state);
      await rm(this.#layout.data, { recursive: true, force: true });
      await rm(this.#layout.run, { recursive: true, force: true });
      await this.#start(join(kubeFolder, 'kube'), join(corednsFolder, 'coredns'), join(pauseFolder, 'pause'), current);
    });
    return access;
  }

  async down(): Promise<void> {
    await namespaces.closeNamespaces(this.#state);
  }

  /** An archive that was loaded last time under the same file name, unchanged, is not loaded again. */
  async loadImages(archives: readonly string[]): Promise<void> {
    for (const archive of archives) {
      const record = join(this.#layout.images, 'k2-loaded', basename(archive));
      const { mtimeMs, size } = statSync(archive);
      const content = `${archive} ${size} bytes, modified ${mtimeMs}`;
      if ((await readFile(record, 'utf8').catch(() => '')) === content) continue;
      await this.#ctr('images', 'import', archive);
      await mkdir(join(record, '..'), { recursive: true });
      await writeFile(record, content);
    }
  }

  leftovers(): Promise<string[]> {
    return namespaces.namespacesLeftovers(this.#state);
  }

  /** SIGKILL, as a crash. */
  async kill(component: Component): Promise<void> {
    await namespaces.killInside(this.#state, this.#layout, component);
  }

  async restart(component: Component): Promise<void> {
    await namespaces.restartInside(this.#state, this.#layout, component);
  }

  get #state(): string {
    return this.#store.folders.state;
  }

  async #provideAll(): Promise<[kube: string, coredns: string, pause: string]> {
    const folders: string[] = [];
    for (const artifact of this.#artifacts) folders.push(await provide(this.#store, artifact));
    const [kubeFolder = '', corednsFolder = '', pauseFolder = ''] = folders;
    return [kubeFolder, corednsFolder, pauseFolder];
  }

  async #start(kubeProgram: string, corednsProgram: string, pauseProgram: string, current: Step): Promise<void> {
    const layout = this.#layout;
    const commands = componentCommands(layout, kubeProgram, corednsProgram);
    const start = async (...components: Component[]) => {
      for (const name of components) await namespaces.startInside(this.#state, layout, name, commands[name]);
    };
    current.note('certificates, namespaces');
    writeConfiguration(layout);
    await Promise.all([makeCertificates(layout.certificates), namespaces.openNamespaces(this.#store.folders, layout)]);

    current.note('etcd, API server, containerd');
    await start('etcd', 'kube-apiserver', 'containerd');
    await Promise.all([this.#readyContainerd(pauseProgram, current), this.#untilApiAnswers()]);

    current.note('controllers, kubelet, kube-proxy, DNS');
    await start('kube-controller-manager', 'kube-scheduler', 'kubelet', 'kube-proxy');
    const apply = [kubeProgram, 'kubectl', '--kubeconfig', join(layout.certificates, 'admin.kubeconfig'), 'apply'];
    await run([...apply, '-f', join(layout.configuration, 'dns.yaml')]);
    await start('coredns');
    await until('the node to be ready', readyMs, async () => ((await this.#nodeIsReady()) ? true : undefined));
    // Services answer after kube-proxy's first sync, names after CoreDNS has listed, pods start with a ServiceAccount.
    const answers = (port: number, path: string) =>
      until(`http://${nodeAddress}:${port}${path} to answer`, readyMs, async () =>
        (await fetch(`http://${nodeAddress}:${port}${path}`)).ok ? true : undefined,
      );
    await Promise.all([answers(proxyHealthPort, '/healthz'), answers(dnsReadyPort, '/ready')]);
    await until('the default ServiceAccount', readyMs, () =>
      apiGet(layout, '/api/v1/namespaces/default/serviceaccounts/default'),
    );
  }

  async #isReady(): Promise<boolean> {
    if (!namespaces.allRunInside(this.#state, this.#layout, componentNames)) return false;
    return this.#nodeIsReady().catch(() => false);
  }

  async #nodeIsReady(): Promise<boolean> {
    const node = JSON.parse(await apiGet(this.#layout, `/api/v1/nodes/${nodeName}`)) as NodeObject;
    return node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  }

  async #untilApiAnswers(): Promise<void> {
    await until(`the API server, see ${this.#layout.logs}/kube-apiserver.log`, readyMs, () =>
      apiGet(this.#layout, '/readyz'),
    );
  }

  /** With no container of an earlier run: their processes are gone, and the kubelet would wait for them. */
  async #readyContainerd(pauseProgram: string, current: Step): Promise<void> {
    const untilItAnswers = () =>
      until(`containerd, see ${this.#layout.logs}/containerd.log`, readyMs, () => this.#ctr('version'));
    await untilItAnswers();
    const old = (await this.#ctr('containers', 'list', '-q')).split('\n').filter((id) => id !== '');
    if (old.length > 0) {
      await this.#ctr('containers', 'delete', ...old);
      // containerd's own list of them is read when it starts.
      await this.kill('containerd');
      await this.restart('containerd');
      await untilItAnswers();
    }
    const root = join(this.#layout.run, 'pause');
    await mkdir(root, { recursive: true });
    await copyFile(pauseProgram, join(root, 'pause'));
    const archive = join(this.#layout.run, 'pause.tar');
    await writeImageArchive(current, { root, tag: pauseImage, config: { Entrypoint: ['/pause'] } }, archive);
    await this.#ctr('images', 'import', archive);
  }

  #ctr(...words: string[]): Promise<string> {
    const ctr = ['ctr', '--address', this.#layout.containerdSocket, '--namespace', 'k8s.io'];
    return run([...namespaces.inside(this.#state), ...ctr, ...words]);
  }
}

export async function createLocalCluster(store: Store): Promise<LocalCluster> {
  return new LocalCluster(store, await Promise.all([kube(), coredns(), pause()]));
}
