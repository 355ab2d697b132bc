// Stands in for scheduler, kubelet and workers: takes every Pod of the control plane, gives it an address of its own
// below 127.0.0.0/8, says that it is ready, and answers GET /status there as a healthy worker does.
import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { variables } from '../../api/worker-config.ts';
import type { WorkerStatus } from '../../api/worker-status.ts';
import { systemClock } from '../../controller/kube/clock.ts';
import { isNotFound } from '../../controller/kube/errors.ts';
import { resourcePath } from '../../controller/kube/object.ts';
import { createQueue } from '../../controller/kube/queue.ts';
import { createReflector, type Reflector } from '../../controller/kube/reflector.ts';
import { createTransport, type Transport } from '../../controller/kube/transport.ts';
import { runWorkers } from '../../controller/kube/workers.ts';
import { type Pod, pods, workerPort } from '../../controller/workload.ts';
import { createLogger } from '../../runtime/log.ts';
import type { ControlPlane } from '../services/control-plane.ts';

const nodeName = 'scale-node';
/** Requests under way at once; the API server beside us has one core for all of it. */
const concurrency = 8;
/** The first address is 127.16.0.1: away from what services of the machine use. */
const firstAddress = (127 << 24) | (16 << 16) | 1;

/** A Pod as the API server stores it, with what a kubelet reads. */
interface NodePod extends Pod {
  spec: { nodeName?: string; containers: { name: string; image: string; env?: { name: string; value?: string }[] }[] };
}

interface Worker {
  address: string;
  listener: Server;
  exchange: string;
  symbols: string[];
  startedMs: number;
}

export class Kubelet {
  /** What the workers say: `still` is a market without trades, `trading` has other figures at each look. */
  figures: 'still' | 'trading' = 'still';
  readonly #transport: Transport;
  readonly #reflector: Reflector<NodePod>;
  readonly #stop = new AbortController();
  readonly #ended: Promise<unknown>;
  readonly #workers = new Map<string, Worker>();
  readonly #byAddress = new Map<string, Worker>();
  readonly #http: HttpServer;
  #addresses = 0;

  constructor(plane: ControlPlane) {
    this.#transport = createTransport(plane.kubeConfig, { userAgent: 'scale-kubelet' });
    this.#http = createHttpServer((request, response) => {
      const worker = this.#byAddress.get(request.socket.localAddress ?? '');
      if (request.url !== '/status' || worker === undefined) return response.writeHead(404).end();
      return response.end(JSON.stringify(this.#statusOf(worker)));
    });
    const shared = { clock: systemClock, random: Math.random, log: createLogger('error', 'scale-kubelet') };
    const queue = createQueue({ ...shared, name: 'pods' });
    const { signal } = this.#stop;
    this.#reflector = createReflector<NodePod>({
      ...shared,
      name: 'pods',
      transport: this.#transport,
      path: resourcePath(pods),
      onChange: queue.add,
    });
    const reconcile = async (key: string) => {
      await this.#keep(key);
      return 'done' as const;
    };
    this.#ended = Promise.all([
      this.#reflector.run(signal),
      runWorkers({ ...shared, controller: 'pod', queue, concurrency, reconcile }, signal),
    ]);
  }

  /** Workers so far, those that have ended included. */
  get started(): number {
    return this.#addresses;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    await this.#transport.close();
    for (const key of this.#workers.keys()) this.#end(key);
  }

  /** Does the next thing that this Pod needs; its own writes bring it back here for the one after. */
  async #keep(key: string): Promise<void> {
    const pod = this.#reflector.get(key);
    if (pod === null) return this.#end(key);
    try {
      if (pod.metadata.deletionTimestamp !== undefined) await this.#delete(key, pod);
      else if (pod.spec.nodeName === undefined) await this.#bind(pod);
      else if (pod.status?.phase !== 'Running') await this.#run(key, pod);
    } catch (error) {
      // Gone meanwhile: the watch says so next.
      if (!isNotFound(error)) throw error;
    }
  }

  #bind(pod: NodePod): Promise<unknown> {
    const { name, namespace } = pod.metadata;
    const target = { apiVersion: 'v1', kind: 'Node', name: nodeName };
    const body = { apiVersion: 'v1', kind: 'Binding', metadata: { name, namespace }, target };
    return this.#transport.request('POST', pathOf(pod, 'binding'), { body });
  }

  async #run(key: string, pod: NodePod): Promise<void> {
    const { address } = this.#workers.get(key) ?? (await this.#start(key, pod));
    const types = ['PodScheduled', 'PodReadyToStartContainers', 'Initialized', 'ContainersReady', 'Ready'];
    const now = new Date().toISOString();
    const status = {
      phase: 'Running',
      podIP: address,
      podIPs: [{ ip: address }],
      startTime: now,
      conditions: types.map((type) => ({ type, status: 'True', lastTransitionTime: now })),
      containerStatuses: pod.spec.containers.map(({ name, image }) => ({
        ...{ name, image, imageID: image, ready: true, started: true, restartCount: 0 },
        state: { running: { startedAt: now } },
      })),
    };
    await this.#transport.request('PATCH', pathOf(pod, 'status'), {
      contentType: 'application/merge-patch+json',
      body: { status },
    });
  }

  async #delete(key: string, pod: NodePod): Promise<void> {
    this.#end(key);
    await this.#transport.request('DELETE', pathOf(pod), { body: { gracePeriodSeconds: 0 } });
  }

  async #start(key: string, pod: NodePod): Promise<Worker> {
    const env = pod.spec.containers.flatMap((container) => container.env ?? []);
    const valueFrom = ({ name }: { name: string }) => env.find((it) => it.name === name)?.value ?? '';
    const address = addressAt(this.#addresses++);
    // One server for all of them, and one listener each: a worker that has ended refuses connections.
    const listener = createServer((socket: Socket) => this.#http.emit('connection', socket));
    const worker: Worker = {
      ...{
        address,
        listener,
        exchange: valueFrom(variables.exchange),
        symbols: valueFrom(variables.symbols).split(','),
      },
      startedMs: Date.now(),
    };
    this.#workers.set(key, worker);
    this.#byAddress.set(address, worker);
    listener.listen(workerPort, address);
    await once(listener, 'listening');
    return worker;
  }

  #end(key: string): void {
    const worker = this.#workers.get(key);
    if (worker === undefined) return;
    worker.listener.close();
    this.#workers.delete(key);
    this.#byAddress.delete(worker.address);
  }

  #statusOf({ exchange, symbols, startedMs }: Worker): WorkerStatus {
    const nowMs = this.figures === 'still' ? startedMs : Date.now();
    const continuity = {
      ...{
        proven: true,
        message: '',
        provable: true,
        written: 100,
        backfilled: 0,
        duplicates: 0,
        missing: 0,
        gaps: [],
      },
    };
    return {
      exchange,
      role: 'owner',
      streaming: true,
      message: '',
      symbols: symbols.map((symbol) => ({
        ...{ symbol, state: 'subscribed', message: '', lastTradeTimeMs: nowMs, continuity },
      })),
      completeness: 100,
      tradesTotal: 100,
      // From 0 to 999, another one at each look.
      tradesPerSecond: nowMs % 1000,
    };
  }
}

const pathOf = ({ metadata: { name, namespace } }: Pod, subresource?: string) =>
  resourcePath({ ...pods, name, namespace, subresource });

function addressAt(index: number): string {
  const address = firstAddress + index;
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}
