// Changes that a person makes to a feed: each replaces or moves workers while trades go on.

import { run } from '../../cluster/command.ts';
import { localLayout } from '../../cluster/local/layout.ts';
import { inside } from '../../cluster/local/namespaces.ts';
import { imageValues } from '../../e2e/operator.ts';
import { between, type Fault } from '../fault.ts';
import { patchFeed, type System, specOf } from '../system.ts';

/** Requests in MiB: they change the pod, and fit on the node many times. */
const memoryMib = { from: 64, to: 128 };

/** From one shard to three, to two, and to one again. */
const nextShards: Readonly<Record<number, number>> = { 1: 3, 3: 2, 2: 1 };

const { 'worker.image.repository': repository, 'worker.image.tag': tag } = imageValues;
const otherTag = 'next';

export const changeFaults: Fault[] = [
  {
    name: 'resources-changed',
    doc: "The feed's worker.resources change, so that every pod is replaced.",
    weight: 2,
    hits: 'one',
    losesUnproven: false,
    async run({ system, feed, random, hit }) {
      const { worker } = await specOf(system, feed);
      const before = worker?.resources?.requests?.memory;
      const drawn = between(memoryMib.from, memoryMib.to, random);
      const memory = before === `${drawn}Mi` ? `${drawn + 1}Mi` : `${drawn}Mi`;
      hit(`${feed.name}: ${before} to ${memory}`);
      await patchFeed(system, feed, { worker: { resources: { requests: { memory } } } });
    },
  },
  {
    name: 'image-changed',
    doc: "The feed's worker.image changes to another name of the same image, and back the next time.",
    weight: 2,
    hits: 'one',
    losesUnproven: false,
    async run({ system, feed, hit }) {
      await nameImageAgain(system);
      const { worker } = await specOf(system, feed);
      const image = worker?.image === undefined ? `${repository}:${otherTag}` : null;
      hit(`${feed.name}: ${image ?? 'back to the default'}`);
      await patchFeed(system, feed, { worker: { image } });
    },
  },
  {
    name: 'symbol-changed',
    doc: 'A symbol is taken out of the feed, and put in again once the others stream without it.',
    weight: 2,
    hits: 'one',
    losesUnproven: true,
    async run({ system, feed, hit, whole }) {
      const { shards } = await specOf(system, feed);
      const symbols = feed.symbols.slice(0, -1);
      // There cannot be more shards than symbols.
      hit(`${feed.name}: without ${feed.symbols.at(-1)}, and with it again`);
      await patchFeed(system, feed, { symbols, shards: Math.min(shards, symbols.length) });
      await whole();
      await patchFeed(system, feed, { symbols: feed.symbols, shards });
    },
  },
  {
    name: 'shards-changed',
    doc: 'The feed goes from 1 to 3 shards, the next time to 2, and to 1 again: symbols move between workers.',
    weight: 3,
    hits: 'one',
    losesUnproven: true,
    async run({ system, feed, hit }) {
      const { shards } = await specOf(system, feed);
      const next = nextShards[shards] ?? 1;
      hit(`${feed.name}: ${shards} to ${next}`);
      await patchFeed(system, feed, { shards: next });
    },
  },
  {
    name: 'standbys-changed',
    doc: 'The feed gets a standby for each shard, and loses them the next time.',
    weight: 3,
    hits: 'one',
    losesUnproven: true,
    async run({ system, feed, hit }) {
      const { delivery, standbys } = await specOf(system, feed);
      if (delivery === 'AtLeastOnce') return hit(`${feed.name}: none without transactions`);
      hit(`${feed.name}: ${standbys} to ${1 - standbys}`);
      await patchFeed(system, feed, { standbys: 1 - standbys });
    },
  },
];

async function nameImageAgain({ store }: System): Promise<void> {
  const { containerdSocket } = localLayout(store.folders.state);
  const ctr = [...inside(store.folders.state), 'ctr', '--address', containerdSocket, '--namespace', 'k8s.io'];
  const name = (tagName: string) => `docker.io/${repository}:${tagName}`;
  await run([...ctr, 'images', 'tag', '--force', name(tag), name(otherTag)]);
}
