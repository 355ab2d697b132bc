// How to reach the API server: address, credentials and TLS from a KubeConfig, and the pools of connections they make.
// The only file that loads @kubernetes/client-node; its own dispatcher would open a TLS connection for every request.
import { createHash } from 'node:crypto';
import type { RequestOptions } from 'node:https';
import { type Cluster, KubeConfig } from '@kubernetes/client-node';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import type { Clock } from './clock.ts';

export type { KubeConfig };

/** The configuration of the pod's service account, or `KUBECONFIG`, or `~/.kube/config`: whichever is there. */
export function loadKubeConfig(): KubeConfig {
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromDefault();
  return kubeConfig;
}

/** In a pod its own namespace; otherwise that of the current context, or `default`, as kubectl has it. */
export function namespaceOf(kubeConfig: KubeConfig): string {
  return kubeConfig.getContextObject(kubeConfig.getCurrentContext())?.namespace?.trim() || 'default';
}

export interface Connection {
  origin: string;
  /** What every path begins with; empty unless the API server sits behind a path of a gateway. */
  pathPrefix: string;
  /** Authorization and impersonation. */
  headers: Record<string, string>;
  requests: Dispatcher;
  /** Apart from `requests`: a watch occupies its connection for minutes and must not starve them. */
  watches: Dispatcher;
}

export interface Connections {
  /** @throws Error when a file cannot be read or a credential plug-in fails */
  current(): Promise<Connection>;
  /** The server refused the credentials of `used`: reads them again, unless that has happened since. */
  renew(used: Connection): void;
  /** Ends all requests and watches at once. */
  close(): Promise<void>;
}

// Certificate files are read again after that time; for a token file client-node adds its own minute.
const credentialsMsMax = 10_000;
// A credential plug-in may open a connection of its own, or hang.
const loadMsMax = 30_000;
// A reconcile does its requests one after the other, so this serves about as many reconciles at once.
const requestConnectionsMax = 8;
// One per reflector; far more than any controller watches.
const watchConnectionsMax = 64;
// The one before the newest finishes what it carries: a watch ends by itself within minutes, an idle connection sooner.
const generationsMax = 2;
// Below the 90 s after which the API server closes an idle connection, so that we hardly ever write into a closing one.
const keepAliveMs = 60_000;
// Finds a peer that vanished; as client-go does, and below the usual 60 s idle limit of load balancers.
const tcpKeepAliveMs = 30_000;

export function createConnections(original: KubeConfig, clock: Clock): Connections {
  let kubeConfig = copyOf(original);
  /** The newest first. */
  const generations: Pools[] = [];
  let connection: Connection | null = null;
  let loadedMs = 0;
  let loading: Promise<Connection> | null = null;

  async function credentialsInTime(): Promise<Credentials> {
    const late = Promise.withResolvers<never>();
    const cancel = clock.setTimer(loadMsMax, () => late.reject(new Error(`no credentials in ${loadMsMax} ms`)));
    try {
      return await Promise.race([credentialsOf(kubeConfig), late.promise]);
    } finally {
      cancel();
    }
  }

  async function load(): Promise<Connection> {
    const loaded = kubeConfig;
    const cluster = kubeConfig.getCurrentCluster();
    if (!cluster) throw new Error(`the kubeconfig's current context '${kubeConfig.currentContext}' names no cluster`);
    const { options, headers } = await credentialsInTime();
    if (loaded !== kubeConfig) return load();
    const { ca, cert, key, servername, rejectUnauthorized } = options;
    const tls = JSON.stringify([cluster.server, cluster.proxyUrl, ca, cert, key, servername, rejectUnauthorized]);
    const fingerprint = createHash('sha256').update(tls).digest('hex');
    const [newest] = generations;
    const pools = newest?.fingerprint === fingerprint ? newest : newPools(fingerprint, cluster, options);
    const { origin, pathname } = new URL(cluster.server);
    connection = {
      origin,
      pathPrefix: pathname.replace(/\/$/, ''),
      headers,
      requests: pools.requests,
      watches: pools.watches,
    };
    loadedMs = clock.nowMs();
    return connection;
  }

  function newPools(fingerprint: string, cluster: Cluster, options: RequestOptions): Pools {
    const requests = createDispatcher(cluster, options, requestConnectionsMax);
    const watches = createDispatcher(cluster, options, watchConnectionsMax);
    const pools = { fingerprint, requests, watches };
    generations.unshift(pools);
    for (const old of generations.splice(generationsMax)) void destroy(old);
    return pools;
  }

  return {
    async current() {
      if (connection && clock.nowMs() - loadedMs < credentialsMsMax) return connection;
      loading ??= load().finally(() => {
        loading = null;
      });
      return loading;
    },
    renew(used) {
      if (connection !== used) return;
      // A copy has not yet cached any token, whichever way the KubeConfig gets them.
      kubeConfig = copyOf(kubeConfig);
      connection = null;
    },
    async close() {
      await Promise.all(generations.map(destroy));
    },
  };
}

interface Pools {
  /** Of all that the connections were made with. */
  fingerprint: string;
  requests: Dispatcher;
  watches: Dispatcher;
}

const destroy = ({ requests, watches }: Pools) => Promise.all([requests.destroy(), watches.destroy()]);

interface Credentials {
  options: RequestOptions;
  headers: Record<string, string>;
}

/** Authenticators added by code are not copied: there is no way to read them back. */
function copyOf({ clusters, users, contexts, currentContext }: KubeConfig): KubeConfig {
  const copy = new KubeConfig();
  copy.loadFromOptions({
    // Without this flag client-node refuses plain http, which `kubectl proxy` speaks and which has no TLS to skip.
    clusters: clusters.map((it) => (it.server.startsWith('http:') ? { ...it, skipTLSVerify: true } : it)),
    users,
    contexts,
    currentContext,
  });
  return copy;
}

async function credentialsOf(kubeConfig: KubeConfig): Promise<Credentials> {
  const options: RequestOptions = { headers: {} };
  // It also leaves an https.Agent in `options`; nobody uses that one, so it opens no socket.
  await kubeConfig.applyToHTTPSOptions(options);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    // A token file may end with a newline, which a header may not.
    headers[name.toLowerCase()] = String(value).trim();
  }
  if (options.auth) headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  return { options, headers };
}

function createDispatcher(
  cluster: Cluster,
  { ca, cert, key, servername, rejectUnauthorized }: RequestOptions,
  connections: number,
): Dispatcher {
  const tls = { ca, cert, key, servername, rejectUnauthorized };
  const tcp = { keepAlive: true, keepAliveInitialDelay: tcpKeepAliveMs };
  // Over HTTP/2 all watches would share one connection, and its loss would end them all together.
  const pool = { connections, keepAliveTimeout: keepAliveMs, allowH2: false };
  if (!cluster.proxyUrl) return new Agent({ ...pool, connect: { ...tls, ...tcp } });
  if (cluster.proxyUrl.startsWith('socks')) {
    throw new Error(`proxy-url ${cluster.proxyUrl}: a SOCKS proxy is not supported, an HTTP proxy is`);
  }
  return new ProxyAgent({ ...pool, uri: cluster.proxyUrl, requestTls: tls, connect: tcp });
}
