// The network between the workers under test and their brokers: one TCP proxy for each broker, which knows where a
// request of Kafka's protocol begins and ends, and can lose one, or its answer, or bring it late.
// https://kafka.apache.org/protocol#protocol_messages
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { transactionApis } from '../../worker/producer/transaction-requests.ts';
import { Frames } from './frames.ts';

export const apiKeys = {
  produce: 0,
  addPartitions: transactionApis.addPartitions.key,
  end: transactionApis.end.key,
  initProducerId: transactionApis.initProducerId.key,
} as const;

/**
 * - request lost: the connection is cut before the broker gets the request.
 * - answer lost: it is cut between the broker's doing and its answer.
 * - request late: it is cut, and the broker gets the request when deliverLate() is called.
 */
export type RequestFault = 'request lost' | 'answer lost' | 'request late';

interface Armed {
  api: keyof typeof apiKeys;
  fault: RequestFault;
  left: number;
}

type State = 'open' | 'cut' | 'stalled';

const address = '127.0.0.1';

/** In a request: size, API key and version, correlation id. In an answer: size, correlation id. */
const keyAt = 4;
const correlationAt = 8;
const answerCorrelationAt = 4;
/** InitProducerId ends with the time-out, the producer id, its epoch, and a byte for tagged fields. */
const timeoutFromEnd = 15;

export class BrokerNetwork {
  readonly #servers: Server[] = [];
  readonly #pairs = new Set<Pair>();
  readonly #late: (() => void)[] = [];
  #armed: Armed[] = [];
  #state: State = 'open';
  #transactionTimeoutMs: number | null = null;

  /** @returns the port of a proxy for a broker that will listen on `port` */
  async proxyFor(port: number): Promise<number> {
    const server = createServer((client) => this.#accept(client, port));
    server.listen(0, address);
    await once(server, 'listening');
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  /** Meets the next `times` requests of this kind, whichever broker they are for. */
  fault(api: keyof typeof apiKeys, fault: RequestFault, times = 1): void {
    this.#armed.push({ api, fault, left: times });
  }

  /** How many requests are still to be met. */
  faultsLeft(): number {
    return this.#armed.reduce((sum, { left }) => sum + left, 0);
  }

  /** Requests kept back reach their brokers now. @returns how many */
  deliverLate(): number {
    const late = this.#late.splice(0);
    for (const deliver of late) deliver();
    return late.length;
  }

  /** No connection any more, and no new one. */
  cut(): void {
    this.#state = 'cut';
    for (const pair of this.#pairs) pair.end();
  }

  /** Connections stay, and nothing passes. */
  stall(): void {
    this.#state = 'stalled';
    for (const { client, broker } of this.#pairs) for (const socket of [client, broker]) socket.pause();
  }

  /** Everything passes again; claims from now on ask the broker for this transaction time-out instead of their own. */
  open(transactionTimeoutMs: number | null = null): void {
    this.#state = 'open';
    this.#armed = [];
    this.#transactionTimeoutMs = transactionTimeoutMs;
    for (const { client, broker } of this.#pairs) for (const socket of [client, broker]) socket.resume();
  }

  async close(): Promise<void> {
    this.cut();
    for (const server of this.#servers) server.close();
    await Promise.all(this.#servers.map((server) => once(server, 'close')));
  }

  #accept(client: Socket, port: number): void {
    if (this.#state === 'cut') {
      client.destroy();
      return;
    }
    const pair = new Pair(client, connect(port, address), (request) => this.#meet(request, pair));
    this.#pairs.add(pair);
    pair.onEnd = () => this.#pairs.delete(pair);
    if (this.#state === 'stalled') pair.pause();
  }

  /** @returns what the broker gets now */
  #meet(request: Buffer, pair: Pair): Buffer | null {
    const key = request.readInt16BE(keyAt);
    if (key === apiKeys.initProducerId && this.#transactionTimeoutMs !== null) {
      request.writeInt32BE(this.#transactionTimeoutMs, request.length - timeoutFromEnd);
    }
    const armed = this.#armed.find(({ api, left }) => apiKeys[api] === key && left > 0);
    if (armed === undefined) return request;
    armed.left--;
    if (armed.fault === 'answer lost') {
      pair.endAtAnswer(request.readInt32BE(correlationAt));
      return request;
    }
    if (armed.fault === 'request late') this.#late.push(() => pair.deliver(request));
    pair.endClient(armed.fault === 'request late');
    return null;
  }
}

/** One connection of a worker, and the one to the broker that belongs to it. */
class Pair {
  readonly client: Socket;
  readonly broker: Socket;
  onEnd: () => void = () => {};
  #endAt: number | null = null;
  #isKept = false;

  constructor(client: Socket, broker: Socket, onRequest: (request: Buffer) => Buffer | null) {
    this.client = client;
    this.broker = broker;
    const requests = new Frames();
    const answers = new Frames();
    client.on('data', (data: Buffer) => {
      for (const request of requests.add(data)) {
        const passed = client.destroyed ? null : onRequest(request);
        if (passed !== null) broker.write(passed);
      }
    });
    broker.on('data', (data: Buffer) => {
      for (const answer of answers.add(data)) {
        if (answer.readInt32BE(answerCorrelationAt) === this.#endAt) this.end();
        if (!client.destroyed) client.write(answer);
      }
    });
    for (const socket of [client, broker]) {
      socket.setNoDelay(true);
      // What an end means is the close's to say.
      socket.on('error', () => {});
    }
    client.on('close', () => {
      if (!this.#isKept) broker.destroy();
    });
    broker.on('close', () => {
      client.destroy();
      this.onEnd();
    });
  }

  pause(): void {
    this.client.pause();
    this.broker.pause();
  }

  end(): void {
    this.client.destroy();
    this.broker.destroy();
  }

  endAtAnswer(correlationId: number): void {
    this.#endAt = correlationId;
  }

  /** @param keepsBroker for what is delivered late */
  endClient(keepsBroker: boolean): void {
    this.#isKept = keepsBroker;
    this.client.destroy();
  }

  deliver(request: Buffer): void {
    this.broker.end(request);
  }
}
