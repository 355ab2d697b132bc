// What a person sees who makes a mistake: at `kubectl apply` where the API server can know, else in the feed's status.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SimulatorControl } from '../simulator/control.ts';
import { type Bed, openBed } from './bed.ts';
import { apply, conditionOf, deleteFeed, getFeed, manifestOf, ownTopics, tryApply, waitReady } from './feeds.ts';
import { deploySimulator, kubectl, namespace } from './operator.ts';
import { eventually } from './process.ts';

let bed: Bed;
let simulator: SimulatorControl;
beforeAll(async () => {
  bed = await openBed();
  simulator = await deploySimulator(bed);
  await simulator.reset();
});

describe('kubectl apply refuses', () => {
  const good = { symbols: ['BTCUSDT'] };
  test.each([
    ['an unknown exchange', manifestOf('bad', { ...good, exchange: 'bitfinex' }), /spec\.exchange.*binance/s],
    ['no symbols', manifestOf('bad', { symbols: [] }), /spec\.symbols.*at least 1/s],
    ['a symbol twice', manifestOf('bad', { symbols: ['BTCUSDT', 'BTCUSDT'] }), /spec\.symbols.*[Dd]uplicate/s],
    [
      "a symbol in another exchange's spelling",
      manifestOf('bad', { exchange: 'kraken', symbols: ['XBT/USD'] }),
      /spec\.symbols.*"XBT\/USD".*BTC\/USD/s,
    ],
    ['a typo in a field', manifestOf('bad', good).replace('symbols:', 'symbol:'), /unknown field "spec\.symbol"/],
    [
      'a retention that is no duration',
      manifestOf('bad', { ...good, topics: { raw: { retention: '7d' } } }),
      /topics\.raw\.retention.*168h/s,
    ],
    [
      'more shards than symbols',
      manifestOf('bad', { symbols: ['BTCUSDT', 'ETHUSDT'], shards: 3 }),
      /spec\.shards.*shards is more than 2, the number of symbols/s,
    ],
    [
      'a standby without transactions',
      manifestOf('bad', { ...good, delivery: 'AtLeastOnce', standbys: 1 }),
      /spec\.standbys.*needs delivery ExactlyOnce/s,
    ],
    [
      'a topic with a name for cursors',
      manifestOf('bad', { ...good, topics: { raw: { name: 'market.crypto.cursors.binance' } } }),
      /topics\.raw\.name.*compacted/s,
    ],
    ['no partitions', manifestOf('bad', { ...good, topics: { partitions: 0 } }), /topics\.partitions.*1/s],
  ])('%s, and says what would be right', async (_, manifest, words) => {
    const { code, stderr } = await tryApply(bed, manifest);
    expect(stderr).toMatch(words);
    expect(code).not.toBe(0);
  });

  test('fewer partitions for a feed that exists', async () => {
    await apply(bed, manifestOf('fixed', good));
    const patch = ['patch', 'exchangefeed', 'fixed', '--type=merge', '-p', '{"spec":{"topics":{"partitions":1}}}'];
    await expect(kubectl(bed, '-n', namespace, ...patch)).rejects.toThrow(/partitions.*grow/s);
    await deleteFeed(bed, 'fixed');
  });

  test('to scale a feed beyond its symbols, and to raise its delivery', async () => {
    await apply(bed, manifestOf('lowered', { ...good, delivery: 'AtLeastOnce' }));
    const scale = ['scale', 'exchangefeed', 'lowered', '--replicas=2'];
    await expect(kubectl(bed, '-n', namespace, ...scale)).rejects.toThrow(
      /shards is more than 1, the number of symbols/s,
    );
    const patch = ['patch', 'exchangefeed', 'lowered', '--type=merge', '-p', '{"spec":{"delivery":"ExactlyOnce"}}'];
    await expect(kubectl(bed, '-n', namespace, ...patch)).rejects.toThrow(/delivery cannot change to ExactlyOnce/s);
    await deleteFeed(bed, 'lowered');
  });
});

describe('a symbol that the exchange does not list', () => {
  const name = 'typo';
  afterAll(async () => deleteFeed(bed, name));

  test('is named in the status while the others stream, and no container restarts', async () => {
    const { topics } = ownTopics(name);
    await apply(bed, manifestOf(name, { symbols: ['BTCUSDT', 'BTCUSD'], topics }));
    await eventually('a refused symbol in the status', 60_000, async () => {
      const feed = await getFeed(bed, name);
      expect(feed.status?.refusedSymbols).toMatchObject([{ symbol: 'BTCUSD' }]);
      expect(conditionOf(feed, 'Ready')).toMatchObject({ status: 'False', reason: 'SymbolsRefused' });
      expect(conditionOf(feed, 'Ready')?.message).toContain('BTCUSD');
      expect(conditionOf(feed, 'WorkersAvailable')?.status).toBe('True');
    });
    const path = '{.items[*].status.containerStatuses[*].restartCount}';
    const selector = `app.kubernetes.io/instance=${name}`;
    expect(await kubectl(bed, '-n', namespace, 'get', 'pods', '-l', selector, '-o', `jsonpath=${path}`)).toBe('0');
  });

  test('is forgotten when the feed no longer names it', async () => {
    const patch = ['patch', 'exchangefeed', name, '--type=merge', '-p', '{"spec":{"symbols":["BTCUSDT"]}}'];
    await kubectl(bed, '-n', namespace, ...patch);
    await waitReady(bed, name);
    expect((await getFeed(bed, name)).status?.refusedSymbols ?? []).toEqual([]);
  });
});

describe('a broker that cannot be reached', () => {
  const name = 'lost';
  afterAll(async () => deleteFeed(bed, name));

  test('is named in the conditions, and the feed recovers by itself once it names one that can', async () => {
    const { topics } = ownTopics(name);
    const kafka = { bootstrapServers: `${bed.hostAddress}:1` };
    await apply(bed, manifestOf(name, { symbols: ['BTCUSDT'], topics, kafka }));
    await eventually('a condition that names the broker', 60_000, async () => {
      const condition = conditionOf(await getFeed(bed, name), 'TopicsReady');
      expect(condition).toMatchObject({ status: 'False', reason: 'BrokerUnreachable' });
      expect(condition?.message).toContain(`${bed.hostAddress}:1`);
    });
    await apply(bed, manifestOf(name, { symbols: ['BTCUSDT'], topics }));
    await waitReady(bed, name);
  });
});
