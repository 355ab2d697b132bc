// A server that keeps one Lease, behind the transport's interface: a test decides who reaches it.
import type { Clock } from '../../../controller/kube/clock.ts';
import { KubeError, TransportError } from '../../../controller/kube/errors.ts';
import type { Lease } from '../../../controller/kube/lease.ts';
import type { Method, RequestOptions, Transport } from '../../../controller/kube/transport.ts';

/** How a request ends: as usual; with 500; never; carried out, but without an answer. */
export type Line = 'up' | 'failing' | 'silent' | 'deaf';

export interface LeaseServer {
  lease: Lease | null;
  /** `<method> <holder>` of all requests that came, reads without holder. */
  requests: string[];
  /** One process's way to the server; `line.is` may be changed at any time. */
  connect(clock: Clock): { transport: Transport; line: { is: Line } };
}

export function createLeaseServer(): LeaseServer {
  let version = 0;
  const server: LeaseServer = {
    lease: null,
    requests: [],
    connect(clock) {
      const line: { is: Line } = { is: 'up' };
      return { line, transport: { request, watch, close: async () => {} } };

      async function request<T>(method: Method, _path: string, { body, signal, timeoutMs = 0 }: RequestOptions = {}) {
        signal?.throwIfAborted();
        if (line.is === 'failing') throw new KubeError(500, 'InternalError', 'etcd');
        if (line.is === 'silent') await silence(clock, timeoutMs, signal);
        const answer = handle(method, body as Lease | undefined);
        if (line.is === 'deaf') throw new TransportError('reset');
        return structuredClone(answer) as T;
      }
    },
  };
  return server;

  function handle(method: Method, body?: Lease): Lease {
    const { lease } = server;
    server.requests.push(body ? `${method} ${body.spec?.holderIdentity}` : method);
    if (method === 'POST' && lease) throw new KubeError(409, 'AlreadyExists', 'it is there');
    if (method !== 'POST' && !lease) throw new KubeError(404, 'NotFound', 'it is not there');
    if (lease && !body) return lease;
    if (!body) throw new Error(`${method} without a body`);
    if (lease && body.metadata.resourceVersion !== lease.metadata.resourceVersion) {
      throw new KubeError(409, 'Conflict', 'the object has been modified');
    }
    const metadata = { ...body.metadata, resourceVersion: String(++version) };
    server.lease = { ...structuredClone(body), metadata };
    return server.lease;
  }
}

// Nobody watches a Lease.
async function* watch<T>(): AsyncGenerator<T, void, void> {
  yield* [];
}

function silence(clock: Clock, timeoutMs: number, signal?: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const cancel = clock.setTimer(timeoutMs, () => reject(new TransportError('no answer')));
    signal?.addEventListener('abort', () => {
      cancel();
      reject(signal.reason);
    });
  });
}
