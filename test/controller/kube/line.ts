// A line to a real API server that a test can cut: a TCP relay on loopback.
import { connect, createServer, type Socket } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';

export interface Line {
  /** The same credentials as `kubeConfig`, over this line. */
  kubeConfig: KubeConfig;
  /** Connections break, and new ones do too. */
  cut(): void;
  /** Bytes are swallowed in both directions, and nobody is told: half-open connections. */
  swallow(): void;
  /** New connections work; those that swallowed go on swallowing. */
  heal(): void;
  close(): Promise<void>;
}

export async function startLine(kubeConfig: KubeConfig): Promise<Line> {
  const cluster = kubeConfig.getCurrentCluster();
  const user = kubeConfig.getCurrentUser();
  if (!cluster || !user) throw new Error('the kubeconfig names no cluster or no user');
  const { hostname: host, port } = new URL(cluster.server);
  const pairs = new Set<[Socket, Socket]>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(Number(port), host);
    const pair: [Socket, Socket] = [near, far];
    pairs.add(pair);
    near.pipe(far).pipe(near);
    for (const socket of pair) {
      // A broken pair is what this is for.
      socket.on('error', () => {});
      socket.on('close', () => {
        pairs.delete(pair);
        near.destroy();
        far.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the relay has no port');
  const relayed = new KubeConfig();
  relayed.loadFromClusterAndUser({ ...cluster, server: `https://127.0.0.1:${address.port}` }, user);
  const cut = () => {
    isCut = true;
    for (const [near, far] of pairs) {
      near.resetAndDestroy();
      far.destroy();
    }
  };
  return {
    kubeConfig: relayed,
    cut,
    swallow() {
      for (const [near, far] of pairs) {
        near.unpipe(far);
        far.unpipe(near);
        for (const socket of [near, far]) socket.resume();
      }
    },
    heal() {
      isCut = false;
    },
    close() {
      cut();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
