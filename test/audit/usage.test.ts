import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { help, parseUsage } from '../../audit/usage.ts';

const folder = mkdtempSync(join(tmpdir(), 'k2-audit-usage-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const least = ['--bootstrap-servers', 'redpanda-0:9092', '--exchange', 'binance'];
const refusal = (args: string[], environment = {}): string => {
  try {
    parseUsage(args, environment);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it is accepted');
};

describe('the command line', () => {
  test('of a broker and an exchange names the topics that a feed has by default', () => {
    expect(parseUsage(least, {})).toMatchObject({
      broker: { bootstrapServers: ['redpanda-0:9092'], access: { tls: null, sasl: null } },
      exchange: 'binance',
      topicRaw: 'market.crypto.trades.binance.raw',
      topicNormalized: 'market.crypto.trades.binance',
      topicDeadLetter: 'market.crypto.trades.binance.raw.dlq',
      topicCursors: 'market.crypto.cursors.binance',
      feed: null,
      schemaRegistryUrl: null,
      fromMs: null,
      untilMs: null,
      toldMax: 20,
      isJson: false,
    });
  });

  test("needs nothing in a worker's environment, and overrules it", () => {
    const environment = {
      K2_EXCHANGE: 'kraken',
      K2_KAFKA_BOOTSTRAP_SERVERS: 'a:1,b:2',
      K2_KAFKA_TOPIC_NORMALIZED: 'trades',
      K2_KAFKA_TOPIC_RAW: '',
      K2_KAFKA_SCHEMA_REGISTRY_URL: 'http://registry:8081',
      K2_FEED: 'feeds/kraken',
    };
    const expected = { exchange: 'kraken', topicRaw: 'trades.raw', topicNormalized: 'trades', feed: 'feeds/kraken' };
    expect(parseUsage([], environment)).toMatchObject({ ...expected, schemaRegistryUrl: 'http://registry:8081' });
    const overruled = parseUsage(['--topic-raw', 'frames', '--feed', 'feeds/other'], environment);
    expect(overruled).toMatchObject({ ...expected, topicRaw: 'frames', feed: 'feeds/other' });
  });

  test('takes times in words and in milliseconds', () => {
    const times = ['--from', '2026-11-24T09:00:00Z', '--until', '1795510800001'];
    expect(parseUsage([...least, ...times], {})).toMatchObject({ fromMs: 1795510800000, untilMs: 1795510800001 });
  });

  test('takes TLS with a certificate, and SASL with a password that is not on it', () => {
    const tls = [
      '--tls-ca',
      file('ca', 'CA'),
      '--tls-certificate',
      file('crt', 'CRT'),
      '--tls-key',
      file('key', 'KEY'),
    ];
    const sasl = ['--sasl-mechanism', 'SCRAM-SHA-512', '--sasl-username', 'auditor'];
    const fromFile = parseUsage([...least, ...tls, ...sasl, '--sasl-password-file', file('password', 'secret\n')], {});
    expect(fromFile?.broker.access).toMatchObject({
      tls: { ca: 'CA', cert: 'CRT', key: 'KEY' },
      sasl: { mechanism: 'SCRAM-SHA-512', username: 'auditor', password: 'secret' },
    });
    const fromVariable = parseUsage([...least, '--tls', ...sasl], { K2_KAFKA_SASL_PASSWORD: 'other' });
    expect(fromVariable?.broker.access).toMatchObject({ tls: {}, sasl: { password: 'other' } });
  });

  test.each([
    [[], '--exchange is missing: one of binance, kraken, coinbase, coinbase-advanced, okx, bybit'],
    [['--exchange', 'binance'], '--bootstrap-servers is missing'],
    [['--exchange', 'mtgox', '--bootstrap-servers', 'a:1'], "--exchange 'mtgox' is not one of binance"],
    [[...least, '--bootstrap-servers', 'a'], "--bootstrap-servers 'a' is not host:port"],
    [[...least, '--topic-raw', 'a b'], "--topic-raw 'a b' is not a topic name"],
    [[...least, '--feed', 'binance'], "--feed 'binance' is not <namespace>/<name>"],
    [[...least, '--from', 'yesterday'], "--from 'yesterday' is no time: write 2026-11-24T09:00:00Z"],
    [[...least, '--from', '2026-11-24T09:00:00'], "--from '2026-11-24T09:00:00' is no time"],
    [[...least, '--from', '5', '--until', '5'], '--from is not before --until'],
    [[...least, '--findings', 'all'], "--findings 'all' is not a number"],
    [[...least, '--schema', '/nowhere'], "--schema '/nowhere' cannot be read"],
    [[...least, '--tls-key', '/dev/null'], '--tls-certificate and --tls-key belong together'],
    [[...least, '--sasl-username', 'a'], '--sasl-mechanism is missing'],
    [[...least, '--sasl-mechanism', 'gssapi'], "--sasl-mechanism 'gssapi' is not one of plain, scram-sha-256"],
    [[...least, '--sasl-mechanism', 'plain'], '--sasl-username is missing'],
    [[...least, '--sasl-mechanism', 'plain', '--sasl-username', 'a'], 'set K2_KAFKA_SASL_PASSWORD, or name a file'],
    [[...least, '--verbose'], "Unknown option '--verbose'"],
  ])('that is wrong is refused in one sentence: %j', (args, words) => {
    const message = refusal(args);
    expect(message).toContain(words);
    expect(message).toContain('; for example: k2-audit --bootstrap-servers redpanda-0:9092 --exchange binance');
  });

  test('names the variable, where that is what is wrong', () => {
    expect(refusal(least, { K2_KAFKA_TOPIC_RAW: 'a b' })).toContain("K2_KAFKA_TOPIC_RAW 'a b' is not a topic name");
  });

  test('shows help', () => {
    expect(parseUsage(['--help'], {})).toBeNull();
    expect(help).toContain('exit codes: 0 no doubt, 1 findings, 2 bad usage, 3 not everything could be read');
  });
});
