// What kubectl shows of feeds and says about them, with a real API server: explanations, columns, selectors, scale, and
// what it answers to mistakes.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { until } from '../cluster/until.ts';
import { type Outcome, outcomeOf } from '../e2e/process.ts';
import { ControlPlane } from '../services/control-plane.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const page = read('docs/reference/exchange-feed.md');

/** A busy machine's time for what takes an idle one a second. */
const slowMs = 60_000;

let plane: ControlPlane;
beforeAll(async () => {
  plane = await ControlPlane.start();
  // The API server publishes a resource's schema a moment after it serves the resource.
  await until('the schema of feeds', slowMs, async () => (await kubectl('explain', 'xf')) !== '' || undefined);
});
afterAll(() => plane?.close());

const kubectl = (...words: string[]) => plane.kubectl(...words);

/** `kubectl apply`, whatever comes of it. */
const tryApply = (feed: object, ...flags: string[]): Promise<Outcome> =>
  outcomeOf(plane.kubectlProgram, ['--kubeconfig', plane.kubeconfig, 'apply', ...flags, '-f', '-'], {
    input: stringify(feed),
  });

const feedOf = (name: string, spec: object) => ({
  apiVersion: 'feeds.k2.dev/v1alpha1',
  kind: 'ExchangeFeed',
  metadata: { name, namespace: 'default' },
  spec: { exchange: 'binance', symbols: ['BTCUSDT', 'ETHUSDT'], ...spec },
});

describe('kubectl explain', () => {
  /** As the page has them: path, and meaning. */
  const rows = [...page.matchAll(/^\| `((?:spec|status)\.[^`]+)` \| [^|]*\| (.+) \|$/gm)].map(
    ([, path = '', text = '']) => [path, text.replaceAll('\\<', '<')],
  );
  const parentOf = (path: string) => path.replace(/\.[^.]+$/, '');
  const parents = [...new Set(rows.map(([path = '']) => parentOf(path)))];

  /** The fields of a printed page: two spaces before a name, four before its text, which is wrapped. */
  function fieldsOf(printed: string): Map<string, string> {
    const fields = new Map<string, string>();
    let name = '';
    for (const line of printed.slice(printed.indexOf('FIELDS:')).split('\n').slice(1)) {
      const start = /^ {2}(\w+)\t/.exec(line);
      if (start?.[1] !== undefined) {
        name = start[1];
        fields.set(name, '');
      } else if (name !== '' && /^ {4}\S/.test(line)) {
        fields.set(name, `${fields.get(name)} ${line.trim()}`.trim());
      }
    }
    return fields;
  }

  test.each(parents)('says of the fields of %s what the page says', async (parent) => {
    const printed = fieldsOf(await kubectl('explain', `exchangefeed.${parent.replaceAll('[]', '')}`));
    const wanted = rows.filter(([path = '']) => parentOf(path) === parent);
    expect(wanted.length).toBeGreaterThan(0);
    expect(new Map([...printed].toSorted())).toEqual(
      new Map(
        wanted.map(([path = '', text]): [string, string] => [path.slice(parent.length + 1), text ?? '']).toSorted(),
      ),
    );
  });

  test('says what a feed is', async () => {
    expect(await kubectl('explain', 'xf')).toContain('ExchangeFeed streams the public trades');
  });
});

describe('kubectl get', () => {
  const status = {
    observedGeneration: 1,
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'FeedReady',
        message: 'All is well.',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      },
    ],
    symbols: 2,
    workers: '1/1',
    shards: 1,
    selector: 'feeds.k2.dev/feed=shown',
    topics: [
      { name: 'frames', content: 'Raw', partitions: 3 },
      { name: 'trades', content: 'Normalized', partitions: 3 },
    ],
    live: { tradesPerSecond: 168, lastTradeTime: new Date().toISOString(), completeness: '99.98%', gaps: 2 },
  };

  beforeAll(async () => {
    await plane.apply(feedOf('shown', {}), feedOf('paused', { state: 'Paused' }));
    const patch = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status })];
    await kubectl('patch', 'exchangefeed', 'shown', ...patch);
  });

  const columns = (printed: string) =>
    printed
      .trim()
      .split('\n')
      .map((line) => line.split(/ {2,}/));

  test('shows what a person wants to know first', async () => {
    const [heads, cells] = columns(await kubectl('get', 'exchangefeeds', 'shown'));
    expect(heads?.join(' | ')).toBe(
      'NAME | EXCHANGE | SYMBOLS | WORKERS | READY | TRADES/S | LAST TRADE | COMPLETE | AGE',
    );
    expect(cells?.slice(0, 6)).toEqual(['shown', 'binance', '2', '1/1', 'True', '168']);
    expect(cells?.[7]).toBe('99.98%');
  });

  test('shows more when asked', async () => {
    const [heads, cells] = columns(await kubectl('get', 'xf', 'shown', '-o', 'wide'));
    expect(heads?.slice(9).join(' | ')).toBe('STATE | TOPIC | GAPS | SHARDS | DELIVERY | REASON | MESSAGE');
    expect(cells?.slice(9)).toEqual(['Running', 'trades', '2', '1', 'ExactlyOnce', 'FeedReady', 'All is well.']);
  });

  test('says of a feed that no controller has seen that nobody knows, and what to look into', async () => {
    const [, cells] = columns(await kubectl('get', 'exchangefeeds', 'paused', '-o', 'wide'));
    expect(cells).toContain('Unknown');
    expect(cells?.at(-1)).toContain('check that k2-feed-operator runs');
  });

  test('finds feeds by the category, by exchange and by state', async () => {
    const names = async (...words: string[]) => (await kubectl('get', ...words, '-o', 'name')).trim().split('\n');
    const [shown, paused] = ['shown', 'paused'].map((name) => `exchangefeed.feeds.k2.dev/${name}`);
    expect(await names('k2')).toEqual([paused, shown]);
    expect(await names('xf', '--field-selector=spec.exchange=binance')).toEqual([paused, shown]);
    expect(await names('xf', '--field-selector=spec.exchange=okx')).toEqual(['']);
    expect(await names('xf', '--field-selector=spec.state=Paused')).toEqual([paused]);
  });
});

describe('kubectl scale', () => {
  const scale = async () => parse(await kubectl('get', '--raw', `${path}/scale`)) as { spec: object; status: object };
  const path = '/apis/feeds.k2.dev/v1alpha1/namespaces/default/exchangefeeds/scaled';

  test('sets the shards, at most as many as symbols, and finds the pods', async () => {
    await plane.apply(feedOf('scaled', {}));
    const status = { shards: 1, selector: 'feeds.k2.dev/feed=scaled' };
    const patch = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status })];
    await kubectl('patch', 'xf', 'scaled', ...patch);
    await kubectl('scale', 'xf', 'scaled', '--replicas=2');
    expect(await scale()).toMatchObject({ spec: { replicas: 2 }, status: { replicas: 1, selector: status.selector } });
    await expect(kubectl('scale', 'xf', 'scaled', '--replicas=3')).rejects.toThrow();
    expect(await scale()).toMatchObject({ spec: { replicas: 2 } });
  });
});

test('a null among topic settings is like a setting that is not named: kubectl may leave it out', async () => {
  const feed = feedOf('nulls', { topics: { raw: { config: { 'compression.type': 'zstd', 'segment.bytes': null } } } });
  const stored = async (...flags: string[]) =>
    (JSON.parse((await tryApply(feed, '-o', 'json', ...flags)).stdout) as typeof feed).spec;
  expect(await stored('--dry-run=server', '--server-side')).toMatchObject(feed.spec);
  expect(await stored('--dry-run=server')).toMatchObject({
    topics: { raw: { config: { 'compression.type': 'zstd' } } },
  });
});

describe('kubectl apply says of a mistake in a manifest', () => {
  const mistakes = [...page.matchAll(/^\| `([\w.]+: .+)` \| (.+) \|$/gm)].map(([, part = '', answer = '']) => [
    part,
    answer,
  ]);
  // Kubernetes adds it to an error in a value's type or length: it is no second mistake.
  const unchecked = /^\* <nil>: .*some validation rules were not checked.*$/m;

  test('something in each row of the page', () => {
    expect(mistakes.length).toBeGreaterThan(10);
  });

  test.each(mistakes)('%s: %s', async (part = '', answer = '') => {
    const given = parse(part) as object;
    const { code, stderr } = await tryApply(feedOf('mistaken', given), '--dry-run=server');
    expect(code).toBe(1);
    expect(stderr).toContain(answer);
    const said = stderr.replace(unchecked, '').trim();
    expect(said.match(/^\* /gm)?.length ?? 0, said).toBeLessThanOrEqual(1);
  });
});
