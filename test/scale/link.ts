// One process's way to a server on loopback, which can be cut, or fall silent.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const address = '127.0.0.1';

type State = 'open' | 'cut' | 'silent';

export class Link {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #state: State = 'open';

  private constructor(port: number) {
    this.#server = createServer({ pauseOnConnect: true }, (client) => this.#accept(client, port));
  }

  static async to(port: number): Promise<Link> {
    const link = new Link(port);
    link.#server.unref().listen(0, address);
    await once(link.#server, 'listening');
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** No connection any more, and no new one. */
  cut(): void {
    this.#state = 'cut';
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Connections stay, new ones are made, and nothing passes. */
  silence(): void {
    this.#state = 'silent';
    for (const socket of this.#sockets) socket.pause();
  }

  open(): void {
    this.#state = 'open';
    for (const socket of this.#sockets) socket.resume();
  }

  #accept(client: Socket, port: number): void {
    if (this.#state === 'cut') {
      client.destroy();
      return;
    }
    const server = connect(port, address);
    for (const [socket, other] of [[client, server] as const, [server, client] as const]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('data', (data) => other.write(data));
      // What an end means is the close's to say.
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
      if (this.#state === 'silent') socket.pause();
      else socket.resume();
    }
  }
}
