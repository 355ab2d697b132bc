// Counts what the controller asks of broker and registry, on the way there: a proxy before each of them.
import { once } from 'node:events';
import {
  createServer as createHttpServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { Frames } from '../broker-faults/frames.ts';

const address = '127.0.0.1';
/** In a request of Kafka's protocol, behind its size. https://kafka.apache.org/protocol#protocol_messages */
const apiKeyAt = 4;
/** https://kafka.apache.org/protocol#protocol_api_keys ; a key that is in neither list counts as a change. */
const kafkaReads: Record<number, string> = {
  3: 'Metadata',
  10: 'FindCoordinator',
  17: 'SaslHandshake',
  18: 'ApiVersions',
  32: 'DescribeConfigs',
  36: 'SaslAuthenticate',
  60: 'DescribeCluster',
  75: 'DescribeTopicPartitions',
};
const kafkaWrites: Record<number, string> = {
  19: 'CreateTopics',
  20: 'DeleteTopics',
  33: 'AlterConfigs',
  37: 'CreatePartitions',
  44: 'IncrementalAlterConfigs',
};

/** How often each kind of request came. */
export type Counts = ReadonlyMap<string, number>;

export interface CountedRequests {
  /** So far. */
  counts(): Counts;
  /** Whether a request of this kind changes something. */
  isWrite(kind: string): boolean;
}

class Counter {
  readonly #counts = new Map<string, number>();

  add(kind: string): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
  }

  counts(): Counts {
    return new Map(this.#counts);
  }
}

export interface BrokerProxy extends CountedRequests {
  /** @returns the port of a proxy for a broker that will listen on `port` */
  proxyFor(port: number): Promise<number>;
}

/** It ends with the process. */
export function countBrokerRequests(): BrokerProxy {
  const counter = new Counter();
  return {
    counts: () => counter.counts(),
    isWrite: (kind) => !Object.values(kafkaReads).includes(kind),
    async proxyFor(port) {
      const server = createServer((client) => {
        const broker = connect(port, address);
        const frames = new Frames();
        client.on('data', (data) => {
          for (const frame of frames.add(Buffer.from(data))) {
            const key = frame.readInt16BE(apiKeyAt);
            counter.add(kafkaReads[key] ?? kafkaWrites[key] ?? `API key ${key}`);
          }
        });
        client.pipe(broker);
        broker.pipe(client);
        for (const [socket, other] of [[client, broker] as const, [broker, client] as const]) {
          socket.setNoDelay(true);
          // What an end means is the close's to say.
          socket.on('error', () => {});
          socket.on('close', () => other.destroy());
        }
      });
      server.unref().listen(0, address);
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    },
  };
}

export interface RegistryProxy extends CountedRequests {
  url: string;
  /** Without the proxy. */
  ownUrl: string;
  /** Nothing listens there any more. */
  cut(): Promise<void>;
  /** It listens again. */
  open(): Promise<void>;
}

/**
 * One POST, PUT or DELETE at a time reaches the registry: its in-memory database breaks when schemas are registered
 * side by side (a subject is then there and not there), which no registry that people run does.
 * @param url of the registry, which has to be up when the first request comes
 */
export async function countRegistryRequests(url: string): Promise<RegistryProxy> {
  const counter = new Counter();
  const target = new URL(url);
  let turn: Promise<unknown> = Promise.resolve();
  const server = createHttpServer((request, response) => {
    counter.add(`${request.method} ${kindOf((request.url ?? '').slice(target.pathname.length))}`);
    const work = () => pass(request, response, Number(target.port));
    if (request.method === 'GET') void work();
    else turn = turn.then(work);
  });
  const listen = async (port: number) => {
    server.unref().listen(port, address);
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const port = await listen(0);
  const proxied = new URL(url);
  proxied.port = String(port);
  return {
    url: String(proxied),
    ownUrl: url,
    async cut() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
    async open() {
      await listen(port);
    },
    counts: () => counter.counts(),
    // POST to a subject itself is a look-up, to its versions it registers, to compatibility it asks.
    // https://docs.confluent.io/platform/current/schema-registry/develop/api.html
    isWrite: (kind) => !/^(GET|POST \/subjects\/\*$|POST \/compatibility)/.test(kind),
  };
}

/** Resolves when it is answered, or can be answered no more. */
async function pass(request: IncomingMessage, response: ServerResponse, port: number): Promise<void> {
  // Whoever asked has given up while it waited for its turn.
  if (response.closed) return;
  const { method, headers, url: path } = request;
  const passed = httpRequest({ host: address, port, path, method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  passed.on('error', () => response.destroy());
  request.pipe(passed);
  await once(response, 'close');
}

/** Names of subjects and numbers of versions left out. */
function kindOf(path: string): string {
  const [, first = '', ...rest] = (path.split('?')[0] ?? '').split('/');
  return [`/${first}`, '*', ...rest.slice(1).map((part) => (/^\d+$/.test(part) ? '*' : part))].join('/');
}

/** What came between two readings. */
export function between(before: Counts, after: Counts): Counts {
  const all = [...after].map(([kind, count]) => [kind, count - (before.get(kind) ?? 0)] as const);
  return new Map(all.filter(([, count]) => count > 0));
}

export const totalOf = (counts: Counts): number => [...counts.values()].reduce((sum, count) => sum + count, 0);

/** Of the requests that change something. */
export const writesOf = ({ isWrite }: CountedRequests, counts: Counts): number =>
  totalOf(new Map([...counts].filter(([kind]) => isWrite(kind))));
