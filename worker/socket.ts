// One WebSocket connection: bytes in, text out, and one reason why it ended. Pings are answered by ws itself.
import { WebSocket } from 'ws';

/** Half of the broker's default message.max.bytes: what can be received can be written. Trade frames have some 200. */
export const frameBytesMax = 512 * 1024;

/** DNS, TCP, TLS and the upgrade together; far away and busy exchanges take one or two seconds. */
const handshakeMsMax = 10_000;

/** Why a connection ended: a closed set, because it is a metric's label. */
export type EndReason =
  | 'closed'
  | 'stale'
  | 'unreachable'
  | 'rejected'
  | 'unanswered'
  | 'replaced'
  | 'memory'
  | 'shutdown';

export interface End {
  reason: EndReason;
  /** One sentence. */
  why: string;
}

export interface SocketOptions {
  url: string;
  /** Without a frame or a ping for this long the connection is stale, milliseconds. Does not count while paused. */
  silenceMsMax: number;
  /** Called with each frame's bytes as received. They share memory with their neighbours: keep, but do not write. */
  onFrame: (frame: Buffer) => void;
  /** The exchange asked whether this side lives, which is answered: so the other does. */
  onPing?: () => void;
  /** Milliseconds from any fixed point, never backwards. */
  monotonicMs: () => number;
  /** Ends the connection when aborted, also while it is being made. */
  signal: AbortSignal;
}

export interface Socket {
  send(text: string): void;
  /** At most one read's frames (64 KiB) still come after pause(). */
  pause(): void;
  resume(): void;
  isPaused(): boolean;
  /** Ends the connection; no frame comes after it. The first end counts. */
  end(end: End): void;
  /** Resolves with true once connected, with false when it ended before. */
  opened: Promise<boolean>;
  /** Resolves when it has ended, whoever ended it. */
  ended: Promise<End>;
}

export function openSocket(options: SocketOptions): Socket {
  const { url, silenceMsMax, onFrame, onPing, monotonicMs, signal } = options;
  const webSocket = new WebSocket(url, {
    perMessageDeflate: false,
    maxPayload: frameBytesMax,
    handshakeTimeout: handshakeMsMax,
  });
  let lastHeardMs = monotonicMs();
  let ended = false;
  let problem = '';
  const opening = Promise.withResolvers<boolean>();
  const ending = Promise.withResolvers<End>();

  const watchdog = setInterval(() => {
    const silenceMs = monotonicMs() - lastHeardMs;
    if (webSocket.isPaused || silenceMs < silenceMsMax) return;
    end({ reason: 'stale', why: `nothing was heard for ${Math.round(silenceMs / 1000)} s` });
  }, silenceMsMax / 4);

  function end(value: End): void {
    if (ended) return;
    ended = true;
    clearInterval(watchdog);
    signal.removeEventListener('abort', shutDown);
    // No closing handshake: a stale peer would not answer it, and the closed TCP connection tells the others enough.
    webSocket.terminate();
    opening.resolve(false);
    ending.resolve(value);
  }

  function shutDown(): void {
    end({ reason: 'shutdown', why: 'the worker shuts down' });
  }
  signal.addEventListener('abort', shutDown);
  if (signal.aborted) shutDown();

  function heard(): void {
    lastHeardMs = monotonicMs();
  }

  webSocket.on('ping', () => {
    heard();
    onPing?.();
  });
  webSocket.on('message', (data: Buffer) => {
    heard();
    if (!ended) onFrame(data);
  });
  // Always followed by 'close', which ends the connection; without a listener it would end the process.
  webSocket.on('error', (error) => {
    problem = error.message;
  });
  let isOpen = false;
  webSocket.once('open', () => {
    isOpen = true;
    opening.resolve(true);
  });
  webSocket.once('close', (code, reason) => {
    const detail = [`code ${code}`, reason.toString(), problem].filter((text) => text !== '').join(', ');
    if (isOpen) end({ reason: 'closed', why: `the connection was closed (${detail})` });
    else end({ reason: 'unreachable', why: `cannot connect to ${url}: ${problem || detail}` });
  });
  return {
    send(text) {
      if (!ended) webSocket.send(text);
    },
    pause: () => webSocket.pause(),
    resume() {
      heard();
      webSocket.resume();
    },
    isPaused: () => webSocket.isPaused,
    end,
    opened: opening.promise,
    ended: ending.promise,
  };
}
