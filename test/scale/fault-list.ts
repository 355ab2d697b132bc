// What can happen to a controller and to what it depends on. Each does it, puts it right, and says what was seen.
import { setTimeout } from 'node:timers/promises';
import type { ExchangeFeed } from '../../api/exchange-feed.ts';
import { until } from '../cluster/until.ts';
import { throttle } from './priority.ts';
import type { Replica, Scene } from './scene.ts';

export interface Fault {
  name: string;
  /** @returns what was seen; the recovery is measured from when it resolves */
  happen: (scene: Scene) => Promise<string>;
}

const noticeMs = 120_000;
const [brief, long] = [5_000, 20_000];

/** Whatever `during` throws, the fault ends. */
async function around<T>(end: () => unknown, during: () => Promise<T>): Promise<T> {
  try {
    return await during();
  } finally {
    await end();
  }
}

/** The first condition that is not True of a feed that cannot become Ready now, and when it said so. */
async function refusalOf(scene: Scene, manifest: Parameters<Scene['feeds']['get']>[0], type: string): Promise<string> {
  const startMs = performance.now();
  const condition = await until(`${type} to say why`, noticeMs, () => {
    const found = conditionOf(scene.feeds.get(manifest), type);
    return found?.status === 'False' ? found : undefined;
  });
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  return `after ${seconds} s ${type} is False, ${condition.reason}: "${condition.message.slice(0, 140)}"`;
}

const conditionOf = (feed: ExchangeFeed | null, type: string) =>
  feed?.status?.conditions?.find((condition) => condition.type === type);

const restartsOf = (replicas: readonly Replica[]) => replicas.reduce((sum, { restarts }) => sum + restarts, 0);

/** What the outage of the API server did to the controllers, beside what the Scene judges. */
async function controllersThrough(scene: Scene, fault: () => Promise<void>): Promise<string> {
  const before = restartsOf(scene.replicas);
  await fault();
  const restarts = restartsOf(scene.replicas) - before;
  return restarts === 0 ? 'both controllers went on' : `${restarts} times a controller gave up its lease and ended`;
}

const ofTheApiServer: Fault[] = [
  {
    name: `API server killed, back after ${brief / 1000} s`,
    happen: (scene) =>
      controllersThrough(scene, async () => {
        await scene.world.plane.kill('kube-apiserver');
        await setTimeout(brief);
        await scene.world.plane.start('kube-apiserver');
      }),
  },
  {
    name: `API server killed, history compacted, back after ${long / 1000} s`,
    happen: (scene) =>
      controllersThrough(scene, async () => {
        await scene.world.plane.kill('kube-apiserver');
        await scene.world.plane.compact();
        await setTimeout(long);
        await scene.world.plane.start('kube-apiserver');
      }),
  },
  {
    name: `API server paused for ${long / 1000} s`,
    happen: (scene) =>
      controllersThrough(scene, async () => {
        scene.world.plane.pause('kube-apiserver');
        await around(
          () => scene.world.plane.resume('kube-apiserver'),
          () => setTimeout(long),
        );
      }),
  },
  {
    name: `etcd paused for ${brief / 1000} s`,
    happen: (scene) =>
      controllersThrough(scene, async () => {
        scene.world.plane.pause('etcd');
        await around(
          () => scene.world.plane.resume('etcd'),
          () => setTimeout(brief),
        );
      }),
  },
  {
    name: `API server refuses the controller with 429 for ${brief / 1000} s`,
    happen: (scene) =>
      controllersThrough(scene, async () => {
        const end = await throttle(scene.world);
        await around(end, () => setTimeout(brief));
      }),
  },
];

const ofTheLeader: Fault[] = [
  {
    name: 'leader ends in good order (SIGTERM)',
    happen: async (scene) => takeOver(scene, ({ controller }) => controller.stop('SIGTERM')),
  },
  {
    name: 'leader killed (SIGKILL)',
    happen: async (scene) => takeOver(scene, ({ controller }) => controller.stop('SIGKILL')),
  },
  {
    name: 'leader paused, and resumed after another leads',
    happen: async (scene) => {
      const old = await scene.leader();
      old.controller.pause();
      return around(
        () => old.controller.resume(),
        () => madeByAnother(scene),
      );
    },
  },
  {
    name: 'leader cut off from the API server, not from the broker',
    happen: async (scene) => {
      const old = await scene.leader();
      old.link.silence();
      return around(
        () => old.link.open(),
        () => madeByAnother(scene),
      );
    },
  },
  {
    name: "the standby's clock is an hour ahead, and it takes over",
    happen: async (scene) => {
      const { controller } = await scene.standby();
      await controller.stop('SIGTERM');
      controller.environment = skewedBy(3_600_000);
      await until('the standby to be back', noticeMs, () => (controller.isAlive ? true : undefined));
      controller.environment = {};
      return takeOver(scene, (leader) => leader.controller.stop('SIGKILL'));
    },
  },
];

const skewedBy = (ms: number) => ({
  NODE_OPTIONS: `--import=${import.meta.dirname}/skewed-clock.ts`,
  K2_TEST_CLOCK_SKEW_MS: String(ms),
});

async function takeOver(scene: Scene, end: (leader: Replica) => Promise<void>): Promise<string> {
  await end(await scene.leader());
  return madeByAnother(scene);
}

/** A feed that is applied now is Ready as soon as somebody else leads. */
async function madeByAnother(scene: Scene): Promise<string> {
  await scene.make();
  return `a feed applied at once is Ready after ${(await scene.untilReady()).toFixed(1)} s`;
}

const ofBrokerAndRegistry: Fault[] = [
  {
    name: `broker down for ${long / 1000} s while nothing changes`,
    happen: async ({ world: { kafka } }) => {
      const [id = 0] = kafka.ids;
      await kafka.stop(id, 'SIGKILL');
      await around(
        () => kafka.start(id),
        () => setTimeout(long),
      );
      return 'nothing';
    },
  },
  {
    name: 'broker down when a feed is applied',
    happen: async (scene) => {
      const { kafka } = scene.world;
      const [id = 0] = kafka.ids;
      await kafka.stop(id, 'SIGKILL');
      return around(
        () => kafka.start(id),
        async () => refusalOf(scene, await scene.make(), 'TopicsReady'),
      );
    },
  },
  {
    name: 'broker paused when a feed is applied',
    happen: async (scene) => {
      const { kafka } = scene.world;
      const [id = 0] = kafka.ids;
      kafka.pause(id);
      return around(
        () => kafka.resume(id),
        async () => refusalOf(scene, await scene.make(), 'TopicsReady'),
      );
    },
  },
  {
    name: 'registry down when a feed is applied',
    happen: async (scene) => {
      await scene.world.registry.cut();
      return around(
        () => scene.world.registry.open(),
        async () => refusalOf(scene, await scene.make(), 'SubjectsReady'),
      );
    },
  },
  {
    name: 'registry paused when a feed is applied',
    happen: async (scene) => {
      const { pid } = scene.world.registry;
      process.kill(pid, 'SIGSTOP');
      return around(
        () => process.kill(pid, 'SIGCONT'),
        async () => refusalOf(scene, await scene.make(), 'SubjectsReady'),
      );
    },
  },
  {
    name: 'broker and registry down when a feed is deleted',
    happen: async (scene) => {
      const { kafka, registry } = scene.world;
      const [id = 0] = kafka.ids;
      await Promise.all([kafka.stop(id, 'SIGKILL'), registry.cut()]);
      return around(
        () => Promise.all([kafka.start(id), registry.open()]),
        async () => {
          await scene.remove(scene.oldest);
          return `it is gone after ${(await scene.untilReady()).toFixed(1)} s`;
        },
      );
    },
  },
];

const ofPeople: Fault[] = [
  {
    name: 'a Deployment is deleted by hand',
    happen: async (scene) => {
      const { name, namespace } = scene.oldest.metadata;
      scene.expectWorkers(1);
      await scene.world.plane.kubectl('-n', namespace, 'delete', 'deployment', `${name}-0`, '--wait=true');
      return 'it is made again';
    },
  },
  {
    name: 'a Deployment is scaled to 0 by hand',
    happen: async (scene) => {
      const { name, namespace } = scene.oldest.metadata;
      const { plane, kubelet } = scene.world;
      scene.expectWorkers(1);
      const before = kubelet.started;
      await plane.kubectl('-n', namespace, 'scale', 'deployment', `${name}-0`, '--replicas=0');
      await until('the worker to be back', noticeMs, () => (kubelet.started > before ? true : undefined));
      return 'set back';
    },
  },
  {
    name: '100 edits of labels of one feed, while feeds are made and deleted',
    happen: async (scene) => {
      const [edited, removed] = [scene.oldest, await scene.make()];
      for (let edit = 0; edit < 100; edit++) {
        await scene.feeds.patch([edited], { metadata: { labels: { edit: String(edit) } } });
        if (edit === 50) await scene.remove(removed);
        if (edit % 25 === 0) await scene.make();
      }
      return 'all of them as asked';
    },
  },
];

export const faults: readonly Fault[] = [...ofTheApiServer, ...ofTheLeader, ...ofBrokerAndRegistry, ...ofPeople];
