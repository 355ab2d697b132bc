// A WebSocket client for the simulator's own tests: every frame is awaited, nothing is polled.
import { once } from 'node:events';
import { WebSocket } from 'ws';

export class TestClient {
  readonly frames: string[] = [];
  readonly pings: string[] = [];
  /** Resolves when the connection has ended. */
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly webSocket: WebSocket;
  #changed = Promise.withResolvers<void>();

  private constructor(webSocket: WebSocket) {
    this.webSocket = webSocket;
    webSocket.on('message', (data: Buffer) => this.#add(this.frames, data));
    webSocket.on('ping', (data: Buffer) => this.#add(this.pings, data));
    this.closed = new Promise((resolve) =>
      webSocket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })),
    );
  }

  /** @throws Error `Unexpected server response: <status>` when it is refused */
  static async connect(url: string, options: { autoPong?: boolean } = {}): Promise<TestClient> {
    const client = new TestClient(new WebSocket(url, { perMessageDeflate: false, ...options }));
    await once(client.webSocket, 'open');
    return client;
  }

  send(message: unknown): void {
    this.webSocket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** Sends, and returns the frame that comes next. */
  async ask(message: unknown): Promise<string> {
    const index = this.frames.length;
    this.send(message);
    return (await this.received(index + 1))[index] ?? '';
  }

  /** The first `count` frames, as soon as there are as many. */
  received(count: number): Promise<string[]> {
    return this.#atLeast(this.frames, count);
  }

  pinged(count: number): Promise<string[]> {
    return this.#atLeast(this.pings, count);
  }

  async #atLeast(list: string[], count: number): Promise<string[]> {
    while (list.length < count) await this.#changed.promise;
    return list.slice(0, count);
  }

  #add(list: string[], data: Buffer): void {
    list.push(data.toString());
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
