// A world for the tests of one file, and a stream of its own for each of them; what a test broke is healed after it.
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { Stream } from './stream.ts';
import { startWorld, type World } from './world.ts';

/** To be read within tests only: both come with the hooks. */
export interface SetUp {
  readonly world: World;
  readonly stream: Stream;
}

export function setUp(options: Parameters<typeof startWorld>[0]): SetUp {
  let world: World;
  let stream: Stream;
  beforeAll(async () => {
    world = await startWorld(options);
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    stream = await Stream.create(world);
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') stream?.tell();
    await world.heal();
    await stream?.close();
  });
  return {
    get world() {
      return world;
    },
    get stream() {
      return stream;
    },
  };
}
