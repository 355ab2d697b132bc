// A feed from `kubectl apply` to both topics, compared with what the simulated exchange says it sent.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { conditionTypes } from '../../api/exchange-feed.ts';
import type { SimulatorControl } from '../simulator/control.ts';
import { type Bed, consume, openBed } from './bed.ts';
import { expectNormalizedEqual, expectRawEqual } from './comparison.ts';
import { apply, conditionOf, deleteFeed, getFeed, manifestOf, ownTopics, settle, waitReady } from './feeds.ts';
import { deploySimulator, kubectl, namespace } from './operator.ts';
import { eventually } from './process.ts';

const name = 'binance';
const { topic, topics } = ownTopics('e2e');
const symbols = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'];
let bed: Bed;
let simulator: SimulatorControl;

const pods = async (): Promise<string[]> => {
  const selector = `app.kubernetes.io/instance=${name}`;
  const out = await kubectl(bed, '-n', namespace, 'get', 'pods', '-l', selector, '-o', 'name');
  return out.split('\n').filter((line) => line !== '');
};
const inWorker = async (...command: string[]) => {
  const [pod = ''] = await pods();
  return (await kubectl(bed, '-n', namespace, 'exec', pod, '--', ...command)).trim();
};

beforeAll(async () => {
  bed = await openBed();
  simulator = await deploySimulator(bed);
  await simulator.reset();
  await apply(bed, manifestOf(name, { symbols, topics }));
  await waitReady(bed, name);
});
afterAll(async () => deleteFeed(bed, name));

describe('a feed that was applied', () => {
  test('shows itself in kubectl get with its columns', async () => {
    const table = await eventually('a live figure', 60_000, async () => {
      const text = await kubectl(bed, '-n', namespace, 'get', 'exchangefeeds');
      if (!/\d+s\s+100%\s+\S+\s*$/.test(text.trim())) throw new Error(text);
      return text;
    });
    const [header = '', row = ''] = table.trim().split('\n');
    expect(header.split(/\s{2,}/)).toEqual([
      'NAME',
      'EXCHANGE',
      'SYMBOLS',
      'WORKERS',
      'READY',
      'TRADES/S',
      'LAST TRADE',
      'COMPLETE',
      'AGE',
    ]);
    expect(row.split(/\s{2,}/).slice(0, 5)).toEqual([name, 'binance', '3', '1/1', 'True']);
  });

  test('has conditions that observed its generation', async () => {
    // The last one takes a trade of each symbol.
    await eventually('every condition', 60_000, async () => {
      const feed = await getFeed(bed, name);
      const { generation: observedGeneration } = feed.metadata;
      for (const type of conditionTypes) {
        expect(conditionOf(feed, type)).toMatchObject({ status: 'True', observedGeneration });
      }
    });
  });

  test('has every frame byte for byte in one topic, and every trade field for field in the other', async () => {
    await simulator.burst({ trades: 2000 });
    const { sent, raw, normalized } = await settle(bed, simulator, topic);
    expect(sent.length).toBeGreaterThan(2000);
    expectRawEqual(sent, raw);
    expectNormalizedEqual(sent, normalized);
  });

  test('runs its worker under a limit of 0.5 CPU and 512 MiB, as its cgroup says', async () => {
    const version1 = 'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us';
    const cgroup = `cat /sys/fs/cgroup/cpu.max 2>/dev/null || ${version1}`;
    const memory = 'cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes';
    const [quota, period] = (await inWorker('sh', '-c', cgroup)).split(/\s+/).map(Number);
    expect((quota ?? 0) / (period ?? 1)).toBe(0.5);
    expect(Number(await inWorker('sh', '-c', memory))).toBe(512 * 1024 * 1024);
  });

  test('runs its worker as user 1000 on a root file system that cannot be written', async () => {
    expect(await inWorker('id', '-u')).toBe('1000');
    await expect(inWorker('touch', '/x')).rejects.toThrow('Read-only file system');
  });
});

describe('a feed whose children are touched', () => {
  const deployment = async () => {
    const out = await kubectl(
      bed,
      '-n',
      namespace,
      'get',
      'deploy',
      '-l',
      `app.kubernetes.io/instance=${name}`,
      '-o',
      'json',
    );
    return JSON.parse(out).items[0];
  };

  test('gets its Deployment back when that is deleted', async () => {
    const before = await deployment();
    await kubectl(bed, '-n', namespace, 'delete', 'deploy', before.metadata.name);
    await eventually('a new Deployment', 30_000, async () => {
      expect((await deployment())?.metadata.uid ?? before.metadata.uid).not.toBe(before.metadata.uid);
    });
    await waitReady(bed, name);
  });

  test('gets its Deployment put right when that is edited', async () => {
    const { metadata } = await deployment();
    await kubectl(bed, '-n', namespace, 'scale', 'deploy', metadata.name, '--replicas=0');
    await kubectl(bed, '-n', namespace, 'set', 'env', `deploy/${metadata.name}`, 'K2_SYMBOLS=DOGEUSDT');
    await eventually('the Deployment as the feed says', 30_000, async () => {
      const { spec } = await deployment();
      expect(spec.replicas).toBe(1);
      const [container] = spec.template.spec.containers;
      const env = container.env.find((variable: { name: string }) => variable.name === 'K2_SYMBOLS');
      expect(env.value.split(',').sort()).toEqual([...symbols].sort());
    });
    await waitReady(bed, name);
  });

  test('goes on streaming over connections that the exchange cuts', async () => {
    const before = await simulator.state();
    await simulator.cut();
    await eventually('a new connection that streams', 30_000, async () => {
      const { connections } = await simulator.state();
      const open = connections.filter((connection) => connection.closed === null && connection.framesSent > 1);
      expect(open.some(({ connection }) => !before.connections.some((old) => old.connection === connection))).toBe(
        true,
      );
    });
    await waitReady(bed, name);
  });
});

describe('a feed that is deleted', () => {
  test('takes its workload along and leaves the topics with what is in them', async () => {
    await deleteFeed(bed, name);
    await eventually('no worker pod', 30_000, async () => expect(await pods()).toEqual([]));
    const raw = await consume(bed, `${topic}.raw`);
    const normalized = await consume(bed, topic, bed.schemaRegistryUrl);
    expect(raw.length).toBeGreaterThan(0);
    expect(normalized.length).toBe(raw.length);
  });
});
