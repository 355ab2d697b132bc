// `make scale FEEDS=1000`: the real controller with many feeds on a real API server, broker and registry; writes
// docs/scale.md. Minutes, no root. Read below for what is done in which order.
import { setTimeout } from 'node:timers/promises';
import { audit } from './audit.ts';
import type { Controller } from './controller.ts';
import { Feeds, feedAt } from './feeds.ts';
import { readOptions } from './options.ts';
import { writePage } from './page.ts';
import { type Changes, keep, type Many, type Quiet } from './results.ts';
import { measure, openWindow, settle } from './window.ts';
import { startWorld, type World } from './world.ts';

const { feeds: feedsWanted, quietFeeds, quietMinutes, steadyMinutes, parts } = readOptions(process.env);
/** One at a time, as a person applies them; each has its time to get Ready before the next but one. */
const applyEachMs = 500;
const latencyFeeds = 50;
/** Of these the spec changes in the end, so that everything the controller may do is done. */
const changedFeeds = 10;
const limitMs = 20 * 60_000;
const manifests = Array.from({ length: feedsWanted }, (_, index) => feedAt(index));

const say = (text: string) => console.log(`${new Date().toISOString().slice(11, 19)} ${text}`);

interface Scene {
  world: World;
  feeds: Feeds;
  controller: Controller;
}

/** Some feeds are applied one by one; then nothing changes. */
async function quiet({ world, feeds, controller }: Scene): Promise<Quiet> {
  say(`${latencyFeeds} feeds, one every ${applyEachMs} ms`);
  await controller.start();
  const first = manifests.slice(0, latencyFeeds);
  for (const manifest of first) {
    await feeds.create([manifest]);
    await setTimeout(applyEachMs);
  }
  await feeds.untilReady(latencyFeeds, limitMs);
  const latenciesMs = feeds.latenciesMs(first);

  say(`${quietFeeds} feeds, and then nothing changes for ${quietMinutes} minutes`);
  await feeds.create(manifests.slice(latencyFeeds, quietFeeds));
  await feeds.untilReady(quietFeeds, limitMs);
  await settle(world);
  return { feeds: quietFeeds, latenciesMs, window: await measure(world, controller, quietMinutes) };
}

/** All feeds, applied while there is no controller; what they cost then, at rest and with trades; a crash. */
async function many({ world, feeds, controller }: Scene): Promise<Many> {
  say(`${feedsWanted} feeds, applied while there is no controller`);
  if (controller.isAlive) await controller.stop('SIGTERM');
  await feeds.create(manifests.slice(feeds.count));
  const convergedFrom = performance.now();
  await controller.start();
  const endOfConverging = await openWindow(world, controller);
  await feeds.untilReady(feedsWanted, limitMs);
  const convergedSeconds = (performance.now() - convergedFrom) / 1000;
  const converging = await endOfConverging();

  say(`all Ready after ${convergedSeconds.toFixed(0)} s; now ${steadyMinutes} minutes of nothing`);
  await settle(world);
  const steady = await measure(world, controller, steadyMinutes);
  say(`and ${steadyMinutes} minutes in which all feeds have trades`);
  world.kubelet.figures = 'trading';
  const trading = await measure(world, controller, steadyMinutes);
  world.kubelet.figures = 'still';
  await settle(world);

  say('a crash of the controller');
  await controller.stop('SIGKILL');
  const restartAudit = await world.plane.auditEnd();
  const restartFrom = performance.now();
  await controller.start();
  const reconciles = () => controller.metric('controller_runtime_reconcile_time_seconds_count');
  while ((await reconciles()) < feedsWanted) await setTimeout(100);
  const restartSeconds = (performance.now() - restartFrom) / 1000;
  const restarted = await audit(world.plane, world.user, restartAudit);
  return { feeds: feedsWanted, converging, convergedSeconds, steady, trading, restarted, restartSeconds };
}

/** What else a controller may be asked to do, and the end of all feeds. */
async function changes(scene: Scene): Promise<Changes> {
  const { world, feeds, controller } = scene;
  const present = feeds.count;
  say(`changes, and the end of ${present} feeds`);
  const changed = manifests.slice(0, changedFeeds);
  await feeds.patch(changed, { spec: { shards: 2, standbys: 1 } });
  await feeds.untilReady(present, limitMs);
  await feeds.patch(changed, { spec: { shards: 1, standbys: 0 } });
  await feeds.untilReady(present, limitMs);
  await nameSecret(scene, changed.slice(0, 1));
  await feeds.untilReady(present, limitMs);
  await settle(world);
  const removedFrom = performance.now();
  await feeds.delete(manifests.slice(0, present));
  await feeds.untilGone(limitMs);
  const removedSeconds = (performance.now() - removedFrom) / 1000;
  await controller.stop('SIGTERM');
  return { feeds: present, removedSeconds, rights: await audit(world.plane, world.user, 0) };
}

/** The registry asks nobody who he is, so any login will do; the controller reads it all the same. */
async function nameSecret({ world, feeds }: Scene, named: typeof manifests): Promise<void> {
  const name = 'registry-login';
  const secrets = named.map(({ metadata: { namespace } }) => ({
    ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace } },
    stringData: { username: 'anybody', password: 'anything' },
  }));
  await world.plane.apply(...secrets);
  await feeds.patch(named, { spec: { schemaRegistry: { authSecretRef: { name } } } });
}

say('control plane, broker, registry');
const world = await startWorld();
const scene = { world, feeds: await Feeds.start(world.plane), controller: await world.controller('controller-1') };
try {
  if (parts.includes('quiet')) keep('quiet', await quiet(scene));
  if (parts.includes('many')) keep('many', await many(scene));
  keep('changes', await changes(scene));
  console.log(writePage());
} finally {
  await scene.feeds.close();
  await world.close();
}
process.exit();
