// A broker whose disk is full: Kafka ends it, and the others go on. The disk is a file system of its own, which only
// the broker's process sees, and which ends with it.
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { later, Stream, writes } from './stream.ts';
import { startWorld, type World } from './world.ts';

const small = 3;
const diskMiB = 24;
/** Formatted before, so what is there is taken along. https://man7.org/linux/man-pages/man1/unshare.1.html */
const script = `cp -a "$1" "$1.disk" && mount -t tmpfs -o size=${diskMiB}m none "$1" && cp -a "$1.disk/." "$1"
rm -r "$1.disk"; shift; exec "$@"`;

let world: World;
let stream: Stream;

beforeAll(async () => {
  const prefix = (id: number, data: string) => {
    const inside = ['sh', '-c', script, 'sh', join(data, 'topics')];
    return id === small ? ['unshare', '--mount', '--propagation', 'private', ...inside] : [];
  };
  world = await startWorld({ brokers: 3, prefix });
});
afterAll(() => world.close());
beforeEach(async () => {
  stream = await Stream.create(world);
});
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') stream?.tell();
  await stream?.close();
});

test.skipIf(process.getuid?.() !== 0)('a broker with a full disk ends, and each trade is there once', async () => {
  const worker = await stream.owner(4000);
  await expect.poll(() => world.cluster.isAlive(small), later).toBe(false);
  await stream.simulator.setRate({ tradesPerSecond: 500 });
  await writes(worker);
  await stream.expectEachTradeOnce(worker);
});
