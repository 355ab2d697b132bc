import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseWorkerConfig, unknownVariables, variables } from '../../api/worker-config.ts';

const least = {
  K2_EXCHANGE: 'binance',
  K2_SYMBOLS: 'BTCUSDT,ETHUSDT',
  K2_KAFKA_BOOTSTRAP_SERVERS: 'redpanda-0:9092,[::1]:9093',
  K2_KAFKA_SCHEMA_REGISTRY_URL: 'http://redpanda:8081',
};

describe('a configuration', () => {
  test('of only what has no default gives the rest', () => {
    expect(parseWorkerConfig(least)).toEqual({
      exchange: 'binance',
      symbols: ['BTCUSDT', 'ETHUSDT'],
      bootstrapServers: ['redpanda-0:9092', '[::1]:9093'],
      kafkaTls: false,
      kafkaAuthPath: undefined,
      kafkaCaPath: undefined,
      kafkaCertificatePath: undefined,
      schemaRegistryUrl: 'http://redpanda:8081',
      registryAuthPath: undefined,
      registryCaPath: undefined,
      topicRaw: 'market.crypto.trades.binance.raw',
      topicNormalized: 'market.crypto.trades.binance',
      topicDeadLetter: 'market.crypto.trades.binance.raw.dlq',
      topicCursors: 'market.crypto.cursors.binance',
      delivery: 'ExactlyOnce',
      feed: 'default/binance',
      shard: 0,
      instance: undefined,
      schemaPath: 'schemas',
      webSocketUrl: undefined,
      restUrl: undefined,
      httpPort: 8080,
      logLevel: 'info',
    });
  });

  test('of the examples is right', () => {
    const examples = Object.values(variables).map(({ name, example }) => [name, example]);
    expect(parseWorkerConfig(Object.fromEntries(examples))).toMatchObject({
      httpPort: 8080,
      schemaPath: '/app/schemas',
    });
  });

  test('with an empty variable is as without it', () => {
    expect(parseWorkerConfig({ ...least, K2_KAFKA_TOPIC_RAW: '', K2_HTTP_PORT: '' })).toEqual(parseWorkerConfig(least));
  });

  test('allows spaces after commas', () => {
    expect(parseWorkerConfig({ ...least, K2_SYMBOLS: 'A, B' }).symbols).toEqual(['A', 'B']);
  });
});

describe('a bad value is told in one line with the variable, the value and an example:', () => {
  const tooMany = Array.from({ length: 1001 }, (_, index) => `S${index}`).join(',');
  test.each([
    ['K2_EXCHANGE', undefined, 'is not set; for example K2_EXCHANGE=binance'],
    ['K2_EXCHANGE', 'Binance', "'Binance' is not a lower-case exchange id; for example K2_EXCHANGE=binance"],
    ['K2_SYMBOLS', undefined, 'is not set; for example K2_SYMBOLS=BTCUSDT,ETHUSDT'],
    ['K2_SYMBOLS', '', 'is not set'],
    ['K2_SYMBOLS', 'A,,B', "'A,,B' has an empty or overlong symbol"],
    ['K2_SYMBOLS', 'A,A', "'A,A' names one entry twice"],
    ['K2_SYMBOLS', 'A B', "'A B' has an empty or overlong symbol"],
    ['K2_SYMBOLS', tooMany, 'has more than 1000 symbols'],
    ['K2_KAFKA_BOOTSTRAP_SERVERS', 'redpanda', "'redpanda' is not host:port; for example"],
    ['K2_KAFKA_BOOTSTRAP_SERVERS', 'http://redpanda:9092', 'is not host:port'],
    ['K2_KAFKA_SCHEMA_REGISTRY_URL', 'redpanda:8081', "'redpanda:8081' is not a http: or https: URL; for example"],
    ['K2_KAFKA_TOPIC_RAW', 'a b', "'a b' is not a topic name (letters, digits, . _ -; at most 249)"],
    ['K2_KAFKA_TOPIC_NORMALIZED', 'x'.repeat(250), 'is not a topic name'],
    ['K2_KAFKA_TOPIC_CURSORS', 'a b', 'is not a topic name'],
    ['K2_DELIVERY', 'exactlyonce', "'exactlyonce' is not one of ExactlyOnce, AtLeastOnce; for example"],
    [
      'K2_FEED',
      'binance',
      "'binance' is not <namespace>/<name>, both in lower case; for example K2_FEED=default/binance",
    ],
    ['K2_FEED', 'default/Binance', 'is not <namespace>/<name>'],
    ['K2_SHARD', '-1', "'-1' is not a number from 0 to 999"],
    ['K2_INSTANCE', 'a b', "'a b' has spaces, or more than 253 characters"],
    ['K2_EXCHANGE_WEBSOCKET_URL', 'https://a', "'https://a' is not a ws: or wss: URL"],
    ['K2_EXCHANGE_REST_URL', 'a', "'a' is not a http: or https: URL"],
    ['K2_HTTP_PORT', '80a', "'80a' is not a port; for example K2_HTTP_PORT=8080"],
    ['K2_HTTP_PORT', '65536', "'65536' is not a port"],
    ['K2_LOG_LEVEL', 'loud', "'loud' is not one of debug, info, warn, error; for example K2_LOG_LEVEL=info"],
  ])('%s=%s', (name, value, problem) => {
    const parse = () => parseWorkerConfig({ ...least, [name]: value });
    expect(parse).toThrow(`${name}: `);
    expect(parse).toThrow(problem);
    expect(parse).toThrow(/^[^\n]+$/);
  });
});

test('variables under the prefix that nobody reads are found', () => {
  expect(unknownVariables({ ...least, K2_SYMBOL: 'BTCUSDT', PATH: '/bin' })).toEqual(['K2_SYMBOL']);
});

test('the reference lists exactly the variables there are', () => {
  const page = readFileSync(new URL('../../docs/reference/worker-configuration.md', import.meta.url), 'utf8');
  const documented = [...page.matchAll(/^\| `(K2_\w+)` \| `(.+?)` \| (.+) \|$/gm)].map((match) => match.slice(1));
  expect(documented).toEqual(Object.values(variables).map(({ name, example, doc }) => [name, example, doc]));
});
