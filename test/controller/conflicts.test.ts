import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ExchangeFeed, ExchangeFeedSpec } from '../../api/exchange-feed.ts';
import { type Claims, conflictsOf, createClaims, heldSymbols } from '../../controller/conflicts.ts';
import { desire } from '../../controller/desired.ts';
import type { Pod } from '../../controller/workload.ts';
import { config, sampleFeed, schemas } from './sample-feed.ts';

const { topics } = sampleFeed().spec;

function feedOf(name: string, createdSecond: number, changes: Partial<ExchangeFeedSpec> = {}): ExchangeFeed {
  const feed = sampleFeed(changes);
  const creationTimestamp = `2026-01-01T00:00:0${createdSecond}Z`;
  return { ...feed, metadata: { ...feed.metadata, name, uid: name, creationTimestamp } };
}

const nobodyHolds = () => new Set<string>();
const holding = (symbols: Record<string, string[]>) => (key: string) =>
  new Set(symbols[key.replace('market-data/', '')] ?? []);
const keyOf = ({ metadata }: ExchangeFeed) => `${metadata.namespace}/${metadata.name}`;
const of = (own: ExchangeFeed, other: ExchangeFeed, held: (key: string) => ReadonlySet<string> = nobodyHolds) =>
  conflictsOf(keyOf(own), createClaims([own, other], config), held);
const failuresOf = (...feeds: Parameters<typeof of>) =>
  of(...feeds).failures.map(({ reason, message }) => `${reason}: ${message}`);

describe('two feeds', () => {
  test('that share topics, and no symbol, are in nobody’s way', () => {
    const [a, b] = [feedOf('a', 1, { symbols: ['BTCUSDT'] }), feedOf('b', 2, { symbols: ['ETHUSDT'] })];
    expect([failuresOf(a, b), failuresOf(b, a)]).toEqual([[], []]);
    expect(createClaims([a, b], config).rivals(keyOf(a))).toEqual([]);
  });

  test('that would write the same symbol to the same topics: the younger one yields, and names the other', () => {
    const [older, younger] = [feedOf('older', 1), feedOf('younger', 2, { symbols: ['ETHUSDT', 'SOLUSDT'] })];
    expect(failuresOf(older, younger)).toEqual([]);
    expect(failuresOf(younger, older)).toEqual([
      'SymbolConflict: ETHUSDT would go to the same topic from feed market-data/older, which is older',
    ]);
  });

  test('of the same second are ordered by uid, so that exactly one yields', () => {
    const [a, b] = [feedOf('a', 1), feedOf('b', 1)];
    expect([failuresOf(a, b).length, failuresOf(b, a).length]).toEqual([0, 1]);
  });

  test('that write a symbol to topics of their own, or on other brokers, are in nobody’s way', () => {
    const own = {
      ...topics,
      raw: { ...topics.raw, name: 'own.raw' },
      normalized: { ...topics.normalized, name: 'own' },
    };
    expect(failuresOf(feedOf('b', 2, { topics: own }), feedOf('a', 1))).toEqual([]);
    const kafka = { bootstrapServers: 'elsewhere:9092' };
    expect(failuresOf(feedOf('b', 2, { kafka }), feedOf('a', 1))).toEqual([]);
  });

  test('that name the same cluster by other lists of brokers are seen to share it', () => {
    const kafka = { bootstrapServers: 'another:9092,redpanda-1:9092' };
    expect(failuresOf(feedOf('b', 2, { kafka }), feedOf('a', 1))).toHaveLength(1);
  });

  test('of many symbols in common list ten, and count the rest', () => {
    const symbols = Array.from({ length: 12 }, (_, index) => `S${index}`);
    const [failure] = failuresOf(feedOf('b', 2, { symbols }), feedOf('a', 1, { symbols }));
    expect(failure).toMatch(/^SymbolConflict: S0, S1, .*, S9 and 2 more would go/);
  });
});

describe('a symbol that a younger feed writes already', () => {
  const older = feedOf('older', 1, { symbols: ['BTCUSDT', 'ETHUSDT'] });
  const younger = feedOf('younger', 2, { symbols: ['ETHUSDT', 'SOLUSDT'] });

  test('is not taken from it by the edit of an older one', () => {
    const held = holding({ older: ['BTCUSDT'], younger: ['ETHUSDT', 'SOLUSDT'] });
    expect(failuresOf(younger, older, held)).toEqual([]);
    expect(failuresOf(older, younger, held)).toEqual([
      expect.stringMatching(
        /^SymbolConflict: ETHUSDT would go .* market-data\/younger, whose workers write them already/,
      ),
    ]);
  });

  test('is the older one’s once the workers of the younger have ended', () => {
    expect(failuresOf(older, younger, holding({ older: ['BTCUSDT'] }))).toEqual([]);
  });

  test('and the older one as well: the workers of the younger must end', () => {
    const held = holding({ older: ['ETHUSDT'], younger: ['ETHUSDT'] });
    expect(of(younger, older, held)).toMatchObject({ failures: [{ reason: 'SymbolConflict' }], mustEnd: true });
    expect(of(older, younger, held)).toEqual({ failures: [], mustEnd: false });
  });
});

describe('a topic that two feeds want differently', () => {
  const failuresWith = (changes: Partial<ExchangeFeedSpec>) =>
    failuresOf(feedOf('b', 2, { symbols: ['B'], ...changes }), feedOf('a', 1, { symbols: ['A'] }));

  test.each([
    [{ partitions: 6 }, 'topics.partitions is 6 here, and 3 in'],
    [{ replicationFactor: 3 }, 'topics.replicationFactor is 3 here, and 1 in'],
    [{ raw: { retention: '1h' } }, 'retention.ms is 3600000 here, and 604800000 in'],
  ])('by %j is as the older one wants it', (change, words) => {
    const changes = { topics: { ...topics, ...change } };
    expect(failuresWith(changes)).toEqual([
      `TopicConflict: topic market.crypto.trades.binance.raw: ${words} feed market-data/a, which is older`,
    ]);
    expect(failuresOf(feedOf('a', 1, { symbols: ['A'] }), feedOf('b', 2, { symbols: ['B'], ...changes }))).toEqual([]);
  });

  test('only in that one of them sets more is no conflict', () => {
    const raw = { ...topics.raw, config: { 'max.message.bytes': '2000000', 'retention.ms': null } };
    expect(failuresWith({ topics: { ...topics, raw } })).toEqual([]);
  });

  test('for frames and for trades is refused to the younger', () => {
    const normalized = { ...topics.normalized, name: 'market.crypto.trades.binance.raw' };
    const raw = { ...topics.raw, name: 'own.raw' };
    expect(failuresWith({ topics: { ...topics, normalized, raw } })[0]).toMatch(
      /^TopicConflict: topic market.crypto.trades.binance.raw is for trades here, and for frames in feed .*\/a/,
    );
  });

  test('for frames of two exchanges is refused to the younger, and one for their trades is not', () => {
    const raw = { ...topics.raw, name: 'market.crypto.trades.binance.raw' };
    const normalized = { ...topics.normalized, name: 'market.crypto.trades.binance' };
    expect(failuresWith({ exchange: 'kraken', topics: { ...topics, raw } })[0]).toMatch(
      /^TopicConflict: .* is for frames of kraken here, and of binance in feed market-data\/a/,
    );
    expect(failuresWith({ exchange: 'kraken', symbols: ['A'], topics: { ...topics, normalized } })).toEqual([]);
  });
});

describe('the topics in use', () => {
  test('are those that other feeds on the same brokers have in common with this one', () => {
    const other = feedOf('b', 2, { topics: { ...topics, raw: { ...topics.raw, name: 'own.raw' } } });
    const claims = createClaims([feedOf('a', 1), other], config);
    expect([...claims.inUse('market-data/a', () => true)]).toEqual([
      'market.crypto.trades.binance',
      'market.crypto.cursors.binance',
    ]);
  });
});

describe('the symbols that workers hold', () => {
  const { workload } = desire(sampleFeed({ shards: 2 }), config, schemas);
  const [deployment] = workload.deployments;
  const podOf = (phase: string): Pod => {
    const template = deployment?.spec.template as { spec: object };
    return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, spec: template.spec, status: { phase } } as Pod;
  };

  test('are those of all Deployments, and of pods that have not ended', () => {
    expect([...heldSymbols(workload, [])].sort()).toEqual(['BTCUSDT', 'ETHUSDT']);
    const none = { deployments: [], budgets: [] };
    expect(heldSymbols(none, [podOf('Running')]).size).toBe(1);
    expect(heldSymbols(none, [podOf('Succeeded'), podOf('Failed')]).size).toBe(0);
  });

  test('are none where there are to be no workers', () => {
    const deployments = workload.deployments.map((it) => ({ ...it, spec: { ...it.spec, replicas: 0 } }));
    expect(heldSymbols({ deployments, budgets: [] }, []).size).toBe(0);
  });
});

test('a feed whose spec is not right claims nothing', () => {
  const wrong = feedOf('wrong', 1, { topics: { ...topics, raw: { retention: '7d' } } });
  const claims = createClaims([wrong, feedOf('right', 2)], config);
  expect(claims.of('market-data/wrong')).toBeNull();
  expect(conflictsOf('market-data/right', claims, nobodyHolds).failures).toEqual([]);
  expect(claims.inUse('market-data/right', () => true).size).toBe(0);
});

describe('a change of one feed', () => {
  const all = [['was', 'BTCUSDT'] as const, ['is', 'ETHUSDT'] as const, ['apart', 'SOLUSDT'] as const];
  const others = all.map(([name, symbol]) => feedOf(name, 1, { symbols: [symbol] }));
  const changed = (symbol: string) => feedOf('changed', 2, { symbols: [symbol] });

  test('matters to those that it may stand in the way of, as it was and as it is', () => {
    const claims = createClaims([...others, changed('BTCUSDT')], config);
    const key = 'market-data/changed';
    expect([...claims.change(key, changed('ETHUSDT'))]).toEqual(['market-data/was', 'market-data/is']);
    expect([...claims.change(key, null)]).toEqual(['market-data/is']);
    expect([...claims.change(key, changed('SOLUSDT'))]).toEqual(['market-data/apart']);
  });

  test('reads no claim of another feed again', () => {
    const claims = createClaims([...others, changed('BTCUSDT')], config);
    const before = others.map((feed) => claims.of(keyOf(feed)));
    claims.change('market-data/changed', changed('ETHUSDT'));
    others.forEach((feed, index) => {
      expect(claims.of(keyOf(feed))).toBe(before[index]);
    });
  });

  test('after change, leaves what reading all feeds anew would give', () => {
    const names = ['a', 'b', 'c', 'd'];
    const topicsNamed = (name: string) => ({ ...topics, raw: { ...topics.raw, name } });
    const wish = fc.record({
      symbols: fc.uniqueArray(fc.constantFrom('BTCUSDT', 'ETHUSDT', 'SOLUSDT'), { minLength: 1 }),
      topics: fc.constantFrom('one', 'two').map(topicsNamed),
      exchange: fc.constantFrom('binance' as const, 'kraken' as const),
      delivery: fc.constantFrom('ExactlyOnce' as const, 'AtLeastOnce' as const),
    });
    const step = fc.tuple(fc.constantFrom(...names), fc.option(wish));
    const keysOf = (claims: Claims, key: string) => claims.rivals(key).map((rival) => rival.key);
    const said = (claims: Claims) =>
      names.map((name) => {
        const key = `market-data/${name}`;
        return [keysOf(claims, key).sort(), [...claims.inUse(key, () => true)].sort()];
      });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (history) => {
        const feeds = new Map<string, ExchangeFeed>();
        const claims = createClaims([], config);
        for (const [name, wanted] of history) {
          const feed = wanted === null ? null : feedOf(name, names.indexOf(name), wanted);
          feeds.delete(name);
          if (feed !== null) feeds.set(name, feed);
          claims.change(`market-data/${name}`, feed);
          expect(said(claims)).toEqual(said(createClaims([...feeds.values()], config)));
        }
      }),
    );
  });
});
