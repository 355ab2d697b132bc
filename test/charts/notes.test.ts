// What a person reads when an install is done.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { missing, notes } from './helm.ts';

const warnings = (text: string) => text.split('\n').filter((line) => line.startsWith('WARNING: '));

const secure = {
  'kafka.tls.enabled': true,
  'schemaRegistry.url': 'https://registry.example',
};

describe.skipIf(missing !== null)('the notes', () => {
  test('say what runs, what to wait for, what to test, and how to start the first feed', () => {
    const text = notes();
    expect(text).toContain('runs the ExchangeFeeds of all namespaces');
    expect(text).toContain('kubectl --namespace k2-system rollout status deployment/feeds-k2-feed-operator');
    expect(text).toContain('helm test feeds --namespace k2-system --logs');
    const [, feed = ''] = /apply -f - <<'END'\n(.*?)\n {2}END/s.exec(text) ?? [];
    const { metadata, ...rest } = parse(feed) as { metadata: object };
    const example = parse(readFileSync(new URL('../../examples/binance.yaml', import.meta.url), 'utf8')) as object;
    expect({ ...rest, metadata: { name: 'binance' } }).toEqual(example);
    expect(metadata).toEqual({ name: 'binance', namespace: 'k2-system' });
  });

  test('name the watched namespace, and a CRD that is not brought', () => {
    const text = notes({ watchNamespace: 'market-data', 'crds.enabled': false });
    expect(text).toContain('runs the ExchangeFeeds of namespace market-data');
    expect(text).toContain('kubectl --namespace market-data get exchangefeeds');
    expect(text).toContain('crds.enabled=false');
  });

  test('warn of nothing where everything is safe', () => {
    expect(warnings(notes(secure))).toEqual([]);
  });

  test.each([
    [{ 'kafka.tls.enabled': false }, 'kafka.tls.enabled=false'],
    [{ 'schemaRegistry.url': 'http://r', 'schemaRegistry.authSecretName': 'a' }, 'schemaRegistry.url is not https'],
    [{ 'crds.keep': false }, 'helm uninstall deletes the CRD'],
    [{ 'image.tag': 'latest' }, 'image.tag=latest'],
    [{ 'worker.image.tag': 'latest' }, 'worker.image.tag=latest'],
    [{ 'securityContext.readOnlyRootFilesystem': false }, 'give the controller more than it needs'],
    [{ 'podSecurityContext.runAsNonRoot': null }, 'give the controller more than it needs'],
  ])('warn of what is not safe: %j', (values, words) => {
    const found = warnings(notes({ ...secure, ...values }));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(words);
  });
});
