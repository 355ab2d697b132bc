// One WebSocket connection of any exchange: sending (into the ledger, too), pings and their answers, lifetime, stalls
// and cuts.
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Clock } from './clock.ts';
import type { ConnectionState } from './control-types.ts';
import type { Ledger } from './ledger.ts';
import type { Settings } from './settings.ts';

/** Held frames are written when this many bytes are full. */
const writeBytes = 32 * 1024;

export interface ConnectionContext {
  clock: Clock;
  ledger: Ledger;
  settings: Settings;
}

export class Connection {
  readonly id: number;
  readonly url: string;
  readonly address: string;
  #webSocket: WebSocket;
  #socket: Duplex;
  #context: ConnectionContext;
  #openedMs: number;
  #closed: { ms: number; code: number; reason: string } | null = null;
  #stalled = false;
  #holding = false;
  #held = Buffer.alloc(0);
  #heldBytes = 0;
  #framesSent = 0;
  #bytesSent = 0;
  #messageTimesUs: number[] = [];
  #messagesReceived = 0;
  #pingsSent = 0;
  #pongsReceived = 0;
  #openPings = new Set<string>();
  #sent = new Map<string, { trades: number; firstId: number; lastId: number }>();
  #cancelPing = () => {};
  #cancelPongTimeout = () => {};
  #cancelLifetime = () => {};

  constructor(
    id: number,
    webSocket: WebSocket,
    socket: Duplex,
    url: string,
    address: string,
    context: ConnectionContext,
  ) {
    this.id = id;
    this.url = url;
    this.address = address;
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#context = context;
    this.#openedMs = this.#nowMs();
    this.applySettings();
  }

  /** Watches the socket; `onMessage` gets what the client says, unless the connection is stalled. */
  start(onMessage: (text: string) => void, onClose: () => void): void {
    this.#webSocket.on('message', (data: Buffer) => {
      if (this.#admit()) onMessage(data.toString());
    });
    this.#webSocket.on('ping', (data: Buffer) => {
      if (this.#admit()) this.#webSocket.pong(data);
    });
    this.#webSocket.on('pong', (data: Buffer) => {
      if (this.#admit()) this.#onPong(data.toString());
    });
    // Follows with 'close', which says enough.
    this.#webSocket.on('error', () => {});
    this.#webSocket.on('close', (code, reason) => {
      this.#cancelTimers();
      this.#closed ??= { ms: this.#nowMs(), code, reason: reason.toString() };
      onClose();
    });
  }

  /** Re-arms pings and lifetime after a change of settings; pings already unanswered keep their deadline. */
  applySettings(): void {
    const { clock, settings } = this.#context;
    this.#cancelPing();
    this.#cancelPing = clock.after(settings.pingIntervalMs, () => this.#ping());
    this.#cancelLifetime();
    const leftMs = Math.max(0, this.#openedMs + settings.lifetimeMs - this.#nowMs());
    this.#cancelLifetime = clock.after(leftMs, () => this.close(1001, 'Connection lifetime reached'));
  }

  /**
   * Sends a text frame.
   * @param symbol which trade it is, with its id; null for anything else
   * @returns false when it could not be sent: stalled, closing, or the client is too slow
   */
  send(bytes: Buffer, symbol: string | null, id: number | null): boolean {
    if (this.#stalled || this.#webSocket.readyState !== this.#webSocket.OPEN) return false;
    if (this.bytesBuffered > this.#context.settings.bufferBytesMax) {
      this.close(1008, 'Client too slow');
      return false;
    }
    this.#frame(bytes);
    this.#framesSent++;
    this.#bytesSent += bytes.length;
    this.#context.ledger.append(this.id, symbol, id, bytes);
    if (symbol === null || id === null) return true;
    const sent = this.#sent.get(symbol);
    if (sent) {
      sent.trades++;
      sent.lastId = id;
    } else {
      this.#sent.set(symbol, { trades: 1, firstId: id, lastId: id });
    }
    return true;
  }

  /** What is sent from here to flush() leaves in few writes: one for each frame would cost most of the time. */
  hold(): void {
    this.#holding = true;
  }

  flush(): void {
    this.#holding = false;
    if (this.#heldBytes === 0) return;
    this.#socket.write(this.#held.subarray(0, this.#heldBytes));
    // The socket may still read what was written, so later frames go behind it.
    this.#held = this.#held.subarray(this.#heldBytes);
    this.#heldBytes = 0;
  }

  /** Bytes accepted for sending that the operating system has not taken yet. */
  get bytesBuffered(): number {
    return this.#webSocket.bufferedAmount + this.#heldBytes;
  }

  /** Resolves when what is buffered has been written, or the connection has closed. */
  drained(): Promise<void> {
    if (this.#closed || !this.#socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
    });
  }

  /** Half open: the socket stays, but nothing is sent, answered or timed any more. */
  setStalled(stalled: boolean): void {
    this.#stalled = stalled;
    if (stalled) this.#cancelTimers();
    else this.applySettings();
  }

  close(code: number, reason: string): void {
    this.#cancelTimers();
    this.#closed ??= { ms: this.#nowMs(), code, reason };
    this.flush();
    this.#webSocket.close(code, reason);
  }

  /** Ends the connection without a closing handshake, as a broken network does; resolves when it is gone. */
  cut(): Promise<void> {
    if (this.#webSocket.readyState === this.#webSocket.CLOSED) return Promise.resolve();
    return new Promise((resolve) => {
      this.#webSocket.once('close', () => resolve());
      this.#webSocket.terminate();
    });
  }

  state(subscriptions: string[]): ConnectionState {
    const secondAgoUs = this.#context.clock.nowUs() - 1_000_000;
    return {
      connection: this.id,
      url: this.url,
      address: this.address,
      openedMs: this.#openedMs,
      closed: this.#closed,
      stalled: this.#stalled,
      subscriptions,
      framesSent: this.#framesSent,
      bytesSent: this.#bytesSent,
      bytesBuffered: this.bytesBuffered,
      messagesReceived: this.#messagesReceived,
      messagesLastSecond: this.#messageTimesUs.filter((timeUs) => timeUs > secondAgoUs).length,
      pingsSent: this.#pingsSent,
      pongsReceived: this.#pongsReceived,
      sent: Object.fromEntries(this.#sent),
    };
  }

  /**
   * Writes one text frame (RFC 6455, 5.2: unmasked, unfragmented) by ourselves: ws makes two writes of each.
   * Without compression ws keeps no queue of its own, so its pings and closes go between whole frames.
   */
  #frame(bytes: Buffer): void {
    const size = bytes.length + 10;
    if (this.#heldBytes + size > this.#held.length) {
      const holding = this.#holding;
      this.flush();
      this.#holding = holding;
      this.#held = Buffer.allocUnsafe(Math.max(writeBytes, size));
    }
    let at = this.#heldBytes;
    at = this.#held.writeUInt8(0x81, at);
    if (bytes.length < 126) {
      at = this.#held.writeUInt8(bytes.length, at);
    } else if (bytes.length < 65_536) {
      at = this.#held.writeUInt8(126, at);
      at = this.#held.writeUInt16BE(bytes.length, at);
    } else {
      at = this.#held.writeUInt8(127, at);
      at = this.#held.writeBigUInt64BE(BigInt(bytes.length), at);
    }
    this.#heldBytes = at + bytes.copy(this.#held, at);
    if (!this.#holding) this.flush();
  }

  /** Counts an incoming message; beyond the limit the connection is closed and the answer is false. */
  #admit(): boolean {
    if (this.#stalled || this.#closed) return false;
    this.#messagesReceived++;
    const nowUs = this.#context.clock.nowUs();
    const limit = this.#context.settings.messagesPerSecondMax;
    this.#messageTimesUs.push(nowUs);
    if (this.#messageTimesUs.length <= limit) return true;
    const oldestUs = this.#messageTimesUs.shift() ?? 0;
    if (nowUs - oldestUs >= 1_000_000) return true;
    this.close(1008, 'Too many requests');
    return false;
  }

  #ping(): void {
    const { clock, settings } = this.#context;
    const payload = String(this.#nowMs());
    if (this.#openPings.size === 0) {
      this.#cancelPongTimeout = clock.after(settings.pongTimeoutMs, () => this.close(1008, 'Pong timeout'));
    }
    this.#openPings.add(payload);
    this.#webSocket.ping(payload);
    this.#pingsSent++;
    this.#cancelPing = clock.after(settings.pingIntervalMs, () => this.#ping());
  }

  /** Only a copy of a ping's payload counts as an answer; any ping's answer shows that the client lives. */
  #onPong(payload: string): void {
    this.#pongsReceived++;
    if (!this.#openPings.has(payload)) return;
    this.#openPings.clear();
    this.#cancelPongTimeout();
  }

  #cancelTimers(): void {
    this.#cancelPing();
    this.#cancelPongTimeout();
    this.#cancelLifetime();
    this.#openPings.clear();
  }

  #nowMs(): number {
    return Math.floor(this.#context.clock.nowUs() / 1000);
  }
}

/** Answers a WebSocket upgrade with an HTTP status instead. */
export function refuseUpgrade(socket: Duplex, status: string, headers: Record<string, string | number> = {}): void {
  const fields = Object.entries({ connection: 'close', 'content-length': 0, ...headers });
  const lines = [`HTTP/1.1 ${status}`, ...fields.map(([name, value]) => `${name}: ${value}`)];
  socket.end(`${lines.join('\r\n')}\r\n\r\n`);
}
