import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { frameBytesMax, openSocket, type SocketOptions } from '../../worker/socket.ts';

let server: WebSocketServer;
let url: string;
let stop: AbortController;

beforeEach(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  stop = new AbortController();
});
afterEach(() => {
  stop.abort();
  for (const client of server.clients) client.terminate();
  server.close();
});

/** A socket, the server's side of it, and the frames it gives. */
async function connect(options: Partial<SocketOptions> = {}) {
  const frames: Buffer[] = [];
  const waiters: { count: number; resolve: () => void }[] = [];
  const accepted = once(server, 'connection') as Promise<[WebSocket]>;
  const socket = openSocket({
    url,
    silenceMsMax: 60_000,
    onFrame(frame) {
      frames.push(frame);
      for (const { count, resolve } of waiters) if (frames.length === count) resolve();
    },
    monotonicMs: () => performance.now(),
    signal: stop.signal,
    ...options,
  });
  const [peer] = await accepted;
  expect(await socket.opened).toBe(true);
  const received = (count: number) => new Promise<void>((resolve) => waiters.push({ count, resolve }));
  return { socket, peer, frames, received };
}

describe('a socket', () => {
  test('gives each frame byte for byte, in order', async () => {
    const { peer, frames, received } = await connect();
    const sent = Array.from({ length: 500 }, (_, index) => Buffer.from(`{"é":"${'x'.repeat(index)}", "n": 1.0}`));
    const all = received(sent.length);
    for (const frame of sent) peer.send(frame, { binary: false });
    await all;
    expect(Buffer.concat(frames).equals(Buffer.concat(sent))).toBe(true);
    expect(frames.map(({ length }) => length)).toEqual(sent.map(({ length }) => length));
  });

  test('asks for no compression', async () => {
    const { peer } = await connect();
    expect(peer.extensions).toBe('');
  });

  test('answers a ping with its payload', async () => {
    const { peer } = await connect();
    const pong = once(peer, 'pong');
    peer.ping('1723161255');
    expect(String((await pong)[0])).toBe('1723161255');
  });

  test('says why the other side closed it', async () => {
    const { socket, peer } = await connect();
    peer.close(1001, 'going away');
    expect(await socket.ended).toEqual({ reason: 'closed', why: 'the connection was closed (code 1001, going away)' });
  });

  test('that is cut ends', async () => {
    const { socket, peer } = await connect();
    peer.terminate();
    expect(await socket.ended).toEqual({ reason: 'closed', why: 'the connection was closed (code 1006)' });
  });

  test('ends when a frame is larger than what could be written', async () => {
    const { socket, peer } = await connect();
    peer.send('x'.repeat(frameBytesMax + 1));
    expect((await socket.ended).why).toContain('Max payload size exceeded');
  });

  test('on which nothing is heard is stale', async () => {
    let nowMs = 0;
    const { socket } = await connect({ silenceMsMax: 40, monotonicMs: () => nowMs });
    nowMs = 40;
    expect(await socket.ended).toEqual({ reason: 'stale', why: 'nothing was heard for 0 s' });
  });

  test('is kept alive by pings alone', async () => {
    let nowMs = 0;
    const { socket, peer } = await connect({ silenceMsMax: 40, monotonicMs: () => nowMs });
    for (let pings = 0; pings < 3; pings++) {
      nowMs += 39;
      const pong = once(peer, 'pong');
      peer.ping();
      await pong;
    }
    nowMs += 41;
    expect((await socket.ended).why).toBe('nothing was heard for 0 s');
    expect(nowMs).toBe(158);
  });

  test('gives no frame after it was ended', async () => {
    const { socket, peer, frames, received } = await connect();
    const first = received(1);
    for (let index = 0; index < 100; index++) peer.send('{}');
    await first;
    socket.end({ reason: 'unanswered', why: 'as the test wants' });
    const count = frames.length;
    await once(peer, 'close');
    expect(frames.length).toBe(count);
    expect((await socket.ended).reason).toBe('unanswered');
  });

  test('that is paused makes the other side wait, and loses nothing', async () => {
    const { socket, peer, frames, received } = await connect();
    const frame = 'x'.repeat(10_000);
    const count = 3000;
    socket.pause();
    for (let index = 0; index < count; index++) peer.send(frame);
    // A whole exchange on another connection: time enough for frames to arrive here, if any came.
    const other = await connect();
    const pong = once(other.peer, 'pong');
    other.peer.ping();
    await pong;
    // 30 MB do not fit into the kernel's buffers, so the rest waits in the sender's.
    expect(peer.bufferedAmount).toBeGreaterThan(0);
    expect(frames.length).toBe(0);
    const all = received(count);
    socket.resume();
    await all;
    expect(frames.length).toBe(count);
  });

  test('ends when the worker shuts down', async () => {
    const { socket } = await connect();
    stop.abort();
    expect((await socket.ended).reason).toBe('shutdown');
  });
});

describe('a connection that cannot be made', () => {
  const open = (to: string) =>
    openSocket({ url: to, silenceMsMax: 1000, onFrame: () => {}, monotonicMs: () => 0, signal: stop.signal });

  async function silentServer(): Promise<{ silent: Server; to: string }> {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    return { silent, to: `ws://127.0.0.1:${(silent.address() as AddressInfo).port}` };
  }

  test('says which address and why', async () => {
    const { silent, to } = await silentServer();
    silent.close();
    await once(silent, 'close');
    const socket = open(to);
    expect(await socket.opened).toBe(false);
    const end = await socket.ended;
    expect(end.reason).toBe('unreachable');
    expect(end.why).toMatch(new RegExp(`^cannot connect to ${to}: .*ECONNREFUSED`));
  });

  test('is given up at once when the worker shuts down', async () => {
    const { silent, to } = await silentServer();
    const socket = open(to);
    stop.abort();
    expect(await socket.opened).toBe(false);
    expect((await socket.ended).reason).toBe('shutdown');
    silent.close();
  });
});
