// The worker's whole configuration: environment variables under one prefix, parsed once, at start.
// docs/reference/worker-configuration.md lists them; a test holds page and parser equal.
import { z } from 'zod';

export interface WorkerConfig {
  exchange: string;
  symbols: string[];
  bootstrapServers: string[];
  /** Whether with TLS; a folder of certificates means so, too. */
  kafkaTls: boolean;
  /** Folders, each as a Secret is mounted; undefined: none. */
  kafkaAuthPath: string | undefined;
  kafkaCaPath: string | undefined;
  kafkaCertificatePath: string | undefined;
  schemaRegistryUrl: string;
  registryAuthPath: string | undefined;
  registryCaPath: string | undefined;
  topicRaw: string;
  topicNormalized: string;
  topicDeadLetter: string;
  topicCursors: string;
  delivery: Delivery;
  /** `<namespace>/<name>`: with the shard, what tells this feed's writers from all others of the broker. */
  feed: string;
  shard: number;
  /** Undefined: the host's name. */
  instance: string | undefined;
  schemaPath: string;
  webSocketUrl: string | undefined;
  restUrl: string | undefined;
  httpPort: number;
  logLevel: LogLevel;
}

const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

export const deliveries = ['ExactlyOnce', 'AtLeastOnce'] as const;
export type Delivery = (typeof deliveries)[number];

/** One variable: its name, its rule, what a right value looks like, and what it is for. */
export interface Variable<T> {
  name: string;
  schema: z.ZodType<T>;
  example: string;
  doc: string;
}

const symbolsMax = 1000;
const shardsMax = 1000;

export const text = z.string().min(1, 'is empty');
const list = (schema: z.ZodType<string, string>) =>
  text
    .transform((value) => value.split(',').map((part) => part.trim()))
    .pipe(z.array(schema).refine((parts) => new Set(parts).size === parts.length, 'names one entry twice'));
const url = (...schemes: string[]) =>
  text.refine((value) => schemes.includes(URL.parse(value)?.protocol ?? ''), `is not a ${schemes.join(' or ')} URL`);
const topic = text.regex(/^[a-zA-Z0-9._-]{1,249}$/, 'is not a topic name (letters, digits, . _ -; at most 249)');
const folder = text.optional();
const server = z.string().regex(/^[^\s:/,]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$/, 'is not host:port');

export const variables = {
  exchange: {
    name: 'K2_EXCHANGE',
    schema: text.regex(/^[a-z][a-z0-9-]*$/, 'is not a lower-case exchange id'),
    example: 'binance',
    doc: 'The exchange to read from.',
  },
  symbols: {
    name: 'K2_SYMBOLS',
    schema: list(z.string().regex(/^\S{1,64}$/u, 'has an empty or overlong symbol')).refine(
      (symbols) => symbols.length <= symbolsMax,
      `has more than ${symbolsMax} symbols`,
    ),
    example: 'BTCUSDT,ETHUSDT',
    doc: 'Symbols as the exchange spells them, separated by commas.',
  },
  bootstrapServers: {
    name: 'K2_KAFKA_BOOTSTRAP_SERVERS',
    schema: list(server),
    example: 'redpanda-0:9092,redpanda-1:9092',
    doc: 'Brokers to ask first, host:port, separated by commas.',
  },
  kafkaTls: {
    name: 'K2_KAFKA_TLS',
    schema: z
      .enum(['true', 'false'], 'is not true or false')
      .default('false')
      .transform((value) => value === 'true'),
    example: 'true',
    doc: 'Whether brokers are spoken to with TLS; a folder of certificates means so, too. Default: `false`.',
  },
  kafkaAuthPath: {
    name: 'K2_KAFKA_AUTH_PATH',
    schema: folder,
    example: '/etc/k2/kafka-auth',
    doc: 'Folder of `username`, `password` and, if not SCRAM-SHA-512, `mechanism`. Default: no SASL.',
  },
  kafkaCaPath: {
    name: 'K2_KAFKA_TLS_CA_PATH',
    schema: folder,
    example: '/etc/k2/kafka-ca',
    doc: "Folder of `ca.crt`, whom to trust. Default: the system's authorities.",
  },
  kafkaCertificatePath: {
    name: 'K2_KAFKA_TLS_CERTIFICATE_PATH',
    schema: folder,
    example: '/etc/k2/kafka-certificate',
    doc: 'Folder of `tls.crt` and `tls.key`, whom to be. Default: no client certificate.',
  },
  schemaRegistryUrl: {
    name: 'K2_KAFKA_SCHEMA_REGISTRY_URL',
    schema: url('http:', 'https:'),
    example: 'http://redpanda:8081',
    doc: 'Base URL of a schema registry with the Confluent API.',
  },
  registryAuthPath: {
    name: 'K2_KAFKA_SCHEMA_REGISTRY_AUTH_PATH',
    schema: folder,
    example: '/etc/k2/registry-auth',
    doc: 'Folder of `username` and `password` for the registry. Default: no authentication.',
  },
  registryCaPath: {
    name: 'K2_KAFKA_SCHEMA_REGISTRY_TLS_CA_PATH',
    schema: folder,
    example: '/etc/k2/registry-ca',
    doc: "Folder of `ca.crt` for an https: registry. Default: the system's authorities.",
  },
  topicRaw: {
    name: 'K2_KAFKA_TOPIC_RAW',
    schema: topic.optional(),
    example: 'market.crypto.trades.binance.raw',
    doc: 'Topic of the frames, byte for byte. Default: `market.crypto.trades.<exchange>.raw`.',
  },
  topicNormalized: {
    name: 'K2_KAFKA_TOPIC_NORMALIZED',
    schema: topic.optional(),
    example: 'market.crypto.trades.binance',
    doc: 'Topic of the normalized trades. Default: `market.crypto.trades.<exchange>`.',
  },
  topicDeadLetter: {
    name: 'K2_KAFKA_TOPIC_DEAD_LETTER',
    schema: topic.optional(),
    example: 'market.crypto.trades.binance.raw.dlq',
    doc: 'Topic of the frames that could not be read. Default: `<raw topic>.dlq`.',
  },
  topicCursors: {
    name: 'K2_KAFKA_TOPIC_CURSORS',
    schema: topic.optional(),
    example: 'market.crypto.cursors.binance',
    doc: 'Topic of who writes and what is written; compacted. Default: `market.crypto.cursors.<exchange>`.',
  },
  delivery: {
    name: 'K2_DELIVERY',
    schema: z.enum(deliveries, `is not one of ${deliveries.join(', ')}`).default('ExactlyOnce'),
    example: 'ExactlyOnce',
    doc: '`ExactlyOnce`: in transactions. `AtLeastOnce`: for brokers without them. Default: `ExactlyOnce`.',
  },
  feed: {
    name: 'K2_FEED',
    schema: text
      .regex(/^[a-z0-9][a-z0-9-]{0,62}\/[a-z0-9][a-z0-9.-]{0,252}$/, 'is not <namespace>/<name>, both in lower case')
      .optional(),
    example: 'default/binance',
    doc: 'Which feed: of the workers of one feed and shard, one writes. Default: `default/<exchange>`.',
  },
  shard: {
    name: 'K2_SHARD',
    schema: z
      .string()
      .regex(/^\d{1,3}$/, `is not a number from 0 to ${shardsMax - 1}`)
      .transform(Number)
      .default(0),
    example: '0',
    doc: 'Which part of the feed: workers of different shards write different symbols. Default: `0`.',
  },
  instance: {
    name: 'K2_INSTANCE',
    schema: text.regex(/^[\x21-\x7e]{1,253}$/, 'has spaces, or more than 253 characters').optional(),
    example: 'binance-0-6c9f7d5b8-x2x7k',
    doc: 'Who this worker is, also after a restart; no other has this name. Default: the host name.',
  },
  schemaPath: {
    name: 'K2_SCHEMA_PATH',
    schema: text.default('schemas'),
    example: '/app/schemas',
    doc: 'Folder of the Avro schemas. Default: `schemas`; the image has them built in.',
  },
  webSocketUrl: {
    name: 'K2_EXCHANGE_WEBSOCKET_URL',
    schema: url('ws:', 'wss:').optional(),
    example: 'wss://stream.binance.com:9443',
    doc: "Base URL of the WebSocket. Default: the exchange's public host.",
  },
  restUrl: {
    name: 'K2_EXCHANGE_REST_URL',
    schema: url('http:', 'https:').optional(),
    example: 'https://api.binance.com',
    doc: "Base URL of the REST interface. Default: the exchange's public host.",
  },
  httpPort: {
    name: 'K2_HTTP_PORT',
    schema: z
      .string()
      .regex(/^\d{1,5}$/, 'is not a port')
      .transform(Number)
      .refine((port) => port <= 65535, 'is not a port')
      .default(8080),
    example: '8080',
    doc: 'Port of /healthz, /readyz, /metrics and /status; 0: any free one. Default: `8080`.',
  },
  logLevel: {
    name: 'K2_LOG_LEVEL',
    schema: z.enum(logLevels, `is not one of ${logLevels.join(', ')}`).default('info'),
    example: 'info',
    doc: 'Least level that is logged: `debug`, `info`, `warn`, `error`. Default: `info`.',
  },
} satisfies { [Field in keyof WorkerConfig]: Variable<unknown> };

/**
 * Variables under the worker's prefix that it does not know: typos, mostly, so main() warns of them. Not an error,
 * because others use the prefix, too: Kubernetes gives pods `K2_FEED_OPERATOR_SERVICE_HOST` for a Service of that name.
 */
export function unknownVariables(environment: Record<string, string | undefined>): string[] {
  const known = new Set<string>(Object.values(variables).map((variable) => variable.name));
  return Object.keys(environment).filter((name) => name.startsWith('K2_') && !known.has(name));
}

/**
 * The value of one variable; an empty variable counts as unset.
 * @throws Error with one line that names the variable, what is wrong with its value, and a right example.
 */
export function readVariable<T>(environment: Record<string, string | undefined>, variable: Variable<T>): T {
  const { name, schema, example } = variable;
  const result = schema.safeParse(environment[name] === '' ? undefined : environment[name]);
  if (result.success) return result.data;
  const problem = environment[name] ? `'${environment[name]}' ${result.error.issues[0]?.message}` : 'is not set';
  throw new Error(`${name}: ${problem}; for example ${name}=${example}`);
}

/**
 * Reads the whole configuration from an environment.
 * @throws Error as readVariable does
 */
export function parseWorkerConfig(environment: Record<string, string | undefined>): WorkerConfig {
  const read = <T>(variable: Variable<T>): T => readVariable(environment, variable);
  const exchange = read(variables.exchange);
  const normalized = `market.crypto.trades.${exchange}`;
  const topicRaw = read(variables.topicRaw) ?? `${normalized}.raw`;
  return {
    exchange,
    symbols: read(variables.symbols),
    bootstrapServers: read(variables.bootstrapServers),
    kafkaTls: read(variables.kafkaTls),
    kafkaAuthPath: read(variables.kafkaAuthPath),
    kafkaCaPath: read(variables.kafkaCaPath),
    kafkaCertificatePath: read(variables.kafkaCertificatePath),
    schemaRegistryUrl: read(variables.schemaRegistryUrl),
    registryAuthPath: read(variables.registryAuthPath),
    registryCaPath: read(variables.registryCaPath),
    topicRaw,
    topicNormalized: read(variables.topicNormalized) ?? normalized,
    topicDeadLetter: read(variables.topicDeadLetter) ?? `${topicRaw}.dlq`,
    topicCursors: read(variables.topicCursors) ?? `market.crypto.cursors.${exchange}`,
    delivery: read(variables.delivery),
    feed: read(variables.feed) ?? `default/${exchange}`,
    shard: read(variables.shard),
    instance: read(variables.instance),
    schemaPath: read(variables.schemaPath),
    webSocketUrl: read(variables.webSocketUrl),
    restUrl: read(variables.restUrl),
    httpPort: read(variables.httpPort),
    logLevel: read(variables.logLevel),
  };
}
