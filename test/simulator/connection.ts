// One WebSocket connection of any exchange: sending (into the ledger, too), pings and their answers, lifetime, stalls
// and cuts.
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Clock } from './clock.ts';
import type { ConnectionState } from './control-types.ts';
import type { FrameFaultKind, FrameFaults } from './frame-faults.ts';
import { FrameWriter } from './frame-writer.ts';
import type { Ledger } from './ledger.ts';
import { never, type Settings } from './settings.ts';

export interface ConnectionContext {
  /** Which exchange it belongs to. */
  exchange: string;
  clock: Clock;
  ledger: Ledger;
  settings: Settings;
  frameFaults: FrameFaults;
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
  #writer: FrameWriter;
  #lastSentMs: number;
  #lastReceivedMs: number;
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
  #cancelSilences = () => {};

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
    this.#writer = new FrameWriter(socket);
    this.#openedMs = this.#nowMs();
    this.#lastSentMs = this.#openedMs;
    this.#lastReceivedMs = this.#openedMs;
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

  /** Re-arms timers after a change of settings; pings already unanswered keep their deadline. */
  applySettings(): void {
    const { clock, settings } = this.#context;
    this.#cancelPing();
    this.#cancelPing = clock.after(settings.pingIntervalMs, () => this.#ping());
    this.#cancelLifetime();
    const leftMs = Math.max(0, this.#openedMs + settings.lifetimeMs - this.#nowMs());
    this.#cancelLifetime = clock.after(leftMs, () => this.close(1001, 'Connection lifetime reached'));
    this.#lastSentMs = this.#nowMs();
    this.#watchSilence();
  }

  /**
   * Sends a text frame; one with trades may meet a fault first.
   * @param symbol whose trades are in it, null for anything else
   * @param id of the first of them; the others follow by one
   * @returns false when it could not be sent: stalled, closing, or the client is too slow
   */
  send(bytes: Buffer, symbol: string | null, id: number | null, trades = 1): boolean {
    if (this.#stalled || this.#webSocket.readyState !== this.#webSocket.OPEN) return false;
    if (this.bytesBuffered > this.#context.settings.bufferBytesMax) {
      this.close(1008, 'Client too slow');
      return false;
    }
    const { frameFaults } = this.#context;
    if (symbol === null || id === null) this.#put(bytes, null, null, 0, null);
    else if (!frameFaults.isArmed) this.#put(bytes, symbol, id, trades, null);
    else {
      frameFaults.pass(this, { bytes, symbol, id, trades, fault: null }, (out) => {
        if (!this.#stalled && this.isOpen) this.#put(out.bytes, out.symbol, out.id, out.trades, out.fault);
      });
    }
    return true;
  }

  get exchange(): string {
    return this.#context.exchange;
  }

  get isOpen(): boolean {
    return this.#webSocket.readyState === this.#webSocket.OPEN;
  }

  /** What is sent from here to flush() leaves in few writes: one for each frame would cost most of the time. */
  hold(): void {
    this.#writer.hold();
  }

  flush(): void {
    this.#writer.flush();
  }

  /** Bytes accepted for sending that the operating system has not taken yet. */
  get bytesBuffered(): number {
    return this.#webSocket.bufferedAmount + this.#writer.bytesHeld;
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
      exchange: this.exchange,
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

  #put(bytes: Buffer, symbol: string | null, id: number | null, trades: number, fault: FrameFaultKind | null): void {
    this.#writer.write(bytes);
    // A look at the clock for every frame would cost as much as the frame.
    if (this.#context.settings.sendSilenceMs < never) this.#lastSentMs = this.#nowMs();
    this.#framesSent++;
    this.#bytesSent += bytes.length;
    this.#context.ledger.append(this.id, symbol, id, trades, fault, bytes);
    if (symbol === null || id === null || fault === 'garbage' || fault === 'truncate') return;
    const sent = this.#sent.get(symbol);
    if (sent) {
      sent.trades += trades;
      sent.lastId = id + trades - 1;
    } else {
      this.#sent.set(symbol, { trades, firstId: id, lastId: id + trades - 1 });
    }
  }

  /** Ends the connection when one side has said nothing for too long; looks again when that may be so. */
  #watchSilence(): void {
    this.#cancelSilences();
    const { clock, settings } = this.#context;
    const nowMs = this.#nowMs();
    const leftMs = [
      this.#messagesReceived === 0 ? this.#openedMs + settings.firstMessageMs - nowMs : never,
      this.#lastReceivedMs + settings.clientSilenceMs - nowMs,
      this.#lastSentMs + settings.sendSilenceMs - nowMs,
    ];
    if (leftMs.some((ms) => ms <= 0)) this.close(settings.silenceCode, 'No data for too long');
    else this.#cancelSilences = clock.after(Math.min(...leftMs), () => this.#watchSilence());
  }

  /** Counts an incoming message; beyond the limit the connection is closed and the answer is false. */
  #admit(): boolean {
    if (this.#stalled || this.#closed) return false;
    this.#messagesReceived++;
    this.#lastReceivedMs = this.#nowMs();
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
    this.#cancelSilences();
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
