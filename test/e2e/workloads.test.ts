// Feeds that are paused, and feeds whose pods cannot run: what becomes of their trades, and what their status says.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ExchangeFeedSpec } from '../../api/exchange-feed.ts';
import type { SimulatorControl } from '../simulator/control.ts';
import { type Bed, openBed } from './bed.ts';
import { apply, conditionOf, deleteFeed, getFeed, manifestOf, ownTopics, waitReady } from './feeds.ts';
import { compareWithMade } from './made-trades.ts';
import { deploySimulator, kubectl, namespace } from './operator.ts';
import { eventually } from './process.ts';

const exchange = 'binance';
const symbols = ['BTCUSDT', 'ETHUSDT'];
// Of what the node does with a pod: far more than it takes, far less than a suite may.
const statusMs = 50_000;
let bed: Bed;
let simulator: SimulatorControl;

const inNamespace = (...args: string[]) => kubectl(bed, '-n', namespace, ...args);
const patch = (name: string, spec: Partial<ExchangeFeedSpec>) =>
  inNamespace('patch', 'exchangefeed', name, '--type=merge', '-p', JSON.stringify({ spec }));
async function podsOf(name: string): Promise<string[]> {
  const out = await inNamespace('get', 'pods', '-l', `feeds.k2.dev/feed=${name}`, '-o', 'name');
  return out.split('\n').filter((line) => line !== '');
}

beforeAll(async () => {
  bed = await openBed();
  simulator = await deploySimulator(bed);
  await simulator.reset();
});
afterAll(async () => simulator.reset());

describe('a feed that is paused and resumed', () => {
  const name = 'paused';
  const { topic, topics } = ownTopics('e2e-paused');
  afterAll(async () => deleteFeed(bed, name));

  test('has no worker meanwhile, says so, and then writes what it missed, each trade once', async () => {
    await simulator.setRate({ tradesPerSecond: 50 });
    await apply(bed, manifestOf(name, { symbols, topics }));
    await waitReady(bed, name);
    await patch(name, { state: 'Paused' });
    await eventually('no worker', statusMs, async () => {
      expect(await podsOf(name)).toEqual([]);
      const feed = await getFeed(bed, name);
      expect(conditionOf(feed, 'WorkersAvailable')?.reason).toBe('WorkersPaused');
      expect(conditionOf(feed, 'TopicsReady')?.status).toBe('True');
    });
    await simulator.burst({ trades: 200 });
    await patch(name, { state: 'Running' });
    await waitReady(bed, name);
    await simulator.pause();
    const question = { exchange, symbols, removed: [], topic };
    await eventually('the same trades in topic and truth', 30_000, () => compareWithMade(bed, simulator, question));
    await simulator.resume();
  });
});

describe('a feed whose pods cannot run says in its status', () => {
  const name = 'stuck';
  const { topics } = ownTopics('e2e-stuck');
  const refused = async (reason: string, words: RegExp) =>
    eventually(`reason ${reason}`, statusMs, async () => {
      const feed = await getFeed(bed, name);
      expect(conditionOf(feed, 'WorkersAvailable')).toMatchObject({ status: 'False', reason });
      expect(conditionOf(feed, 'WorkersAvailable')?.message).toMatch(words);
      expect(conditionOf(feed, 'Ready')?.status).toBe('False');
    });
  afterAll(async () => deleteFeed(bed, name));

  test('that no node takes them, in the words of the scheduler', async () => {
    await apply(bed, manifestOf(name, { symbols, topics, worker: { nodeSelector: { 'example.com/none': 'here' } } }));
    await refused('WorkersUnschedulable', /stuck-0-.*: 0\/\d+ nodes are available.*Make room on a node/s);
  });

  test('that a quota leaves no room for them, and it starts by itself once there is room', async () => {
    await inNamespace('create', 'quota', 'e2e-none', '--hard=pods=0');
    try {
      await eventually('the quota to count', statusMs, async () => {
        expect(await inNamespace('get', 'quota', 'e2e-none', '-o', 'jsonpath={.status.hard.pods}')).toBe('0');
      });
      await apply(bed, manifestOf(name, { symbols, topics, worker: { podAnnotations: { 'example.com/new': 'pod' } } }));
      await refused('QuotaExceeded', /exceeded quota: e2e-none.*Raise the namespace's ResourceQuota/s);
    } finally {
      await inNamespace('delete', 'quota', 'e2e-none');
    }
    await waitReady(bed, name);
  });

  test('that the image cannot be had, while the worker before goes on', async () => {
    const before = await eventually('one worker', statusMs, async () => {
      const pods = await podsOf(name);
      expect(pods).toHaveLength(1);
      return pods;
    });
    // A registry on the node itself, where nothing listens.
    await patch(name, { worker: { image: '127.0.0.1:1/worker:none' } });
    await refused('ImagePullFailed', /127\.0\.0\.1:1.*Check the image's name/s);
    expect(await podsOf(name)).toEqual(expect.arrayContaining(before));
    expect(conditionOf(await getFeed(bed, name), 'Streaming')?.status).toBe('True');
  });
});
