import { describe, expect, test } from 'vitest';
import type { Topic } from '../../../controller/desired.ts';
import { TargetError } from '../../../controller/errors.ts';
import { createTopicLooks, type TopicSeen, type WantedTopics } from '../../../controller/targets/topic-looks.ts';

const topic = (name: string, config: Topic['config'] = { 'retention.ms': '1' }): Topic => ({
  name,
  content: 'Normalized',
  partitions: 3,
  replicationFactor: 1,
  config,
  initialConfig: {},
});

const seen = { partitions: 3, replicationFactor: 1, config: { 'retention.ms': '1', 'max.message.bytes': '9' } };

/** A broker that has every topic but those in `other`, and answers when the test lets it. */
function setUp(other: Record<string, TopicSeen> = {}) {
  const clock = { nowMs: 1_000_000 };
  const asked: WantedTopics[] = [];
  let gate = Promise.resolve();
  const looks = createTopicLooks({
    nowMs: () => clock.nowMs,
    look: async (wanted) => {
      asked.push(wanted);
      await gate;
      return new Map([...wanted.keys()].map((name) => [name, other[name] === undefined ? seen : other[name]]));
    },
  });
  const hold = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    return resolve;
  };
  return { clock, looks, hold, namesAsked: () => asked.splice(0).map((wanted) => [...wanted.keys()]) };
}

describe('a look at a broker', () => {
  test('shows each feed its topics, with the settings that it wants', async () => {
    const { looks } = setUp({ gone: null });
    const observed = await looks.observe([topic('a'), topic('gone'), topic('b', {})], 0);
    const { partitions, replicationFactor } = seen;
    expect(observed).toEqual(
      new Map([
        ['a', { partitions, replicationFactor, config: { 'retention.ms': '1' } }],
        ['b', { partitions, replicationFactor, config: {} }],
      ]),
    );
  });

  test('for the present state is a new one each time, for these topics only', async () => {
    const { looks, namesAsked } = setUp();
    await looks.observe([topic('a')], 0);
    await looks.observe([topic('b')], 0);
    await looks.observe([topic('a')], 0);
    expect(namesAsked()).toEqual([['a'], ['b'], ['a']]);
  });

  test('for drift is for the topics of all feeds, and serves those that come within a minute', async () => {
    const { clock, looks, namesAsked } = setUp();
    const names = Array.from({ length: 1_000 }, (_, index) => `topic-${index}`);
    await Promise.all(names.map((name) => looks.observe([topic(name)], 0)));
    // The first goes alone, and the rest together: they came while it was under way.
    expect(namesAsked().map(({ length }) => length)).toEqual([1_000]);
    clock.nowMs += 300_000;
    for (const name of names) {
      await looks.observe([topic(name)], 60_000);
      clock.nowMs += 50;
    }
    expect(namesAsked().map(({ length }) => length)).toEqual([1_000]);
  });

  test('that is under way may be older than what is wanted, so the next one is waited for', async () => {
    const { looks, hold, namesAsked } = setUp();
    const release = hold();
    const first = looks.observe([topic('a')], 0);
    await Promise.resolve();
    const others = ['b', 'a'].map((name) => looks.observe([topic(name)], 0));
    release();
    await Promise.all([first, ...others]);
    expect(namesAsked()).toEqual([['a'], ['b', 'a']]);
  });

  test('is repeated for a setting that nobody wanted to know before', async () => {
    const { looks, namesAsked } = setUp();
    await looks.observe([topic('a')], 0);
    const observed = await looks.observe([topic('a', { 'max.message.bytes': '1' })], 60_000);
    expect(observed.get('a')?.config).toEqual({ 'max.message.bytes': '9' });
    expect(namesAsked()).toHaveLength(2);
  });

  test('forgets topics that no feed has asked for in a while', async () => {
    const { clock, looks, namesAsked } = setUp();
    await looks.observe([topic('a'), topic('gone')], 0);
    for (let look = 0; look < 4; look++) {
      clock.nowMs += 300_000;
      await looks.observe([topic('a')], 60_000);
    }
    expect(namesAsked().at(-1)).toEqual(['a']);
  });
});

describe('a topic that the broker does not show', () => {
  test('fails the feed that wants it, and no other', async () => {
    const refused = new TargetError('TopicRefused', 'not authorized');
    const { looks } = setUp({ secret: refused });
    const [mine, theirs] = await Promise.allSettled([
      looks.observe([topic('secret')], 0),
      looks.observe([topic('a')], 0),
    ]);
    expect(mine).toEqual({ status: 'rejected', reason: refused });
    expect(theirs.status).toBe('fulfilled');
  });
});

test('a broker that is away fails all who look, and the next look is a new one', async () => {
  let isAway = true;
  const away = new TargetError('BrokerUnreachable', 'connection refused');
  const looks = createTopicLooks({
    nowMs: () => 0,
    look: async (wanted) => {
      if (isAway) throw away;
      return new Map([...wanted.keys()].map((name) => [name, seen]));
    },
  });
  await expect(looks.observe([topic('a')], 0)).rejects.toBe(away);
  isAway = false;
  expect((await looks.observe([topic('a')], 0)).size).toBe(1);
});
