// Who is connected to one exchange and subscribed to what. Takes over sockets, counts attempts, ends what is closed.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { Connection, type ConnectionContext, refuseUpgrade } from './connection.ts';

/** What an exchange keeps of a client is its own; these two are the hub's. */
export interface Client {
  connection: Connection;
  topics: Set<string>;
}

export interface HubServices {
  /** Numbers connections over all exchanges. */
  nextConnection(): number;
  onClosed(connection: Connection, subscriptions: string[]): void;
}

/** A request with 1,024 stream names is about 40 kB; no exchange documents its own limit. */
const messageBytesMax = 1024 * 1024;
/** Addresses whose attempts are remembered; beyond it all are forgotten. */
const addressesMax = 10_000;

export class Hub<C extends Client> {
  #webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: messageBytesMax,
  });
  #clients = new Map<Connection, C>();
  #subscribers = new Map<string, Set<C>>();
  #attempts = new Map<string, number[]>();
  #context: ConnectionContext;
  #services: HubServices;

  constructor(context: ConnectionContext, services: HubServices) {
    this.#context = context;
    this.#services = services;
  }

  /** Takes over the socket, unless the address tried too often. `join` makes the client, `hear` gets what it says. */
  upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    join: (connection: Connection) => C,
    hear: (client: C, text: string) => void,
  ): void {
    const address = request.socket.remoteAddress ?? '';
    const { connectWindowMs } = this.#context.settings;
    if (!this.#admitAttempt(address)) {
      refuseUpgrade(socket, '429 Too Many Requests', { 'retry-after': Math.ceil(connectWindowMs / 1000) });
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
      const id = this.#services.nextConnection();
      const connection = new Connection(id, webSocket, socket, request.url ?? '/', address, this.#context);
      const client = join(connection);
      this.#clients.set(connection, client);
      connection.start(
        (text) => hear(client, text),
        () => this.#leave(client),
      );
    });
  }

  get isEmpty(): boolean {
    return this.#clients.size === 0;
  }

  clients(): Iterable<C> {
    return this.#clients.values();
  }

  /** Absent where nobody is. */
  subscribers(topic: string): Set<C> | undefined {
    return this.#subscribers.get(topic);
  }

  subscribe(client: C, topic: string): void {
    client.topics.add(topic);
    const subscribers = this.#subscribers.get(topic) ?? new Set();
    this.#subscribers.set(topic, subscribers.add(client));
  }

  unsubscribe(client: C, topic: string): void {
    client.topics.delete(topic);
    const subscribers = this.#subscribers.get(topic);
    subscribers?.delete(client);
    if (subscribers?.size === 0) this.#subscribers.delete(topic);
  }

  connections(): Connection[] {
    return [...this.#clients.keys()];
  }

  subscriptions(connection: Connection): string[] {
    return [...(this.#clients.get(connection)?.topics ?? [])];
  }

  reset(): void {
    this.#attempts.clear();
  }

  #leave(client: C): void {
    const subscriptions = [...client.topics];
    for (const topic of subscriptions) this.unsubscribe(client, topic);
    this.#clients.delete(client.connection);
    this.#services.onClosed(client.connection, subscriptions);
  }

  #admitAttempt(address: string): boolean {
    const { connectsMax, connectWindowMs } = this.#context.settings;
    const nowMs = this.#context.clock.nowUs() / 1000;
    const recent = (this.#attempts.get(address) ?? []).filter((ms) => ms > nowMs - connectWindowMs);
    if (recent.length >= connectsMax) return false;
    if (this.#attempts.size >= addressesMax) this.#attempts.clear();
    this.#attempts.set(address, [...recent, nowMs]);
    return true;
  }
}
