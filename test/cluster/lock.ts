// One owner at a time for a thing on this machine, across processes and checkouts. The lock is a listening socket in
// Linux's abstract namespace: the kernel drops it with its owner, however that ended, so no stale lock can stay behind
// (https://man7.org/linux/man-pages/man7/unix.7.html). Whoever connects is told who the owner is, and sees him end.
import { createHash } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Processes that may wait for one owner: more than anyone starts on one machine. */
const acceptedWaiters = 128;

export interface LockOwner {
  pid: number;
  checkout: string;
}

/**
 * Does the work when no other process holds the same thing, waiting for its owner's end first.
 * @param onWait called once for each owner that must be waited for
 */
export async function withLock<T>(
  thing: string,
  self: LockOwner,
  onWait: (owner: LockOwner) => void,
  work: () => Promise<T>,
): Promise<T> {
  const name = `\0k2-feed-operator-${createHash('sha256').update(thing).digest('hex').slice(0, 32)}`;
  let server = await tryListen(name, self);
  while (!server) {
    await waitForOwner(name, onWait);
    server = await tryListen(name, self);
  }
  const held = server;
  try {
    return await work();
  } finally {
    for (const waiter of waiters.get(held) ?? []) waiter.destroy();
    await new Promise((resolve) => held.close(resolve));
  }
}

const waiters = new WeakMap<Server, Set<Socket>>();

function tryListen(name: string, self: LockOwner): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const connected = new Set<Socket>();
    const server = createServer((socket) => {
      connected.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => connected.delete(socket));
      socket.write(`${JSON.stringify(self)}\n`);
    });
    waiters.set(server, connected);
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen({ path: name, backlog: acceptedWaiters }, () => resolve(server));
  });
}

function waitForOwner(name: string, onWait: (owner: LockOwner) => void): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(name);
    socket.once('data', (line) => onWait(JSON.parse(line.toString()) as LockOwner));
    // An owner that ended in between refuses the connection: then there is nothing to wait for.
    socket.on('error', () => {});
    socket.on('close', () => resolve());
  });
}
