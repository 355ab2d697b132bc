// The command line, and what it leaves to the environment: a worker's variables name the topics that it writes, so that
// in a worker's pod the command needs no option at all.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readSecrets } from '../api/secret-folders.ts';
import {
  type KafkaAccess,
  kafkaAccessOf,
  type RegistryAccess,
  registryAccessOf,
  type SaslMechanism,
  saslMechanisms,
} from '../api/secrets.ts';
import { readVariable, type Variable, variables } from '../api/worker-config.ts';
import { readSecretFolder } from '../runtime/secret-folder.ts';
import type { BrokerOptions } from './broker.ts';
import { type Reading, readings } from './readings.ts';

export interface Usage {
  broker: Pick<BrokerOptions, 'bootstrapServers' | 'access'>;
  exchange: string;
  reading: Reading;
  topicRaw: string;
  topicNormalized: string;
  topicDeadLetter: string;
  topicCursors: string;
  /** `<namespace>/<name>`, whose cursors are compared; null: there are those of one feed only. */
  feed: string | null;
  schemaRegistryUrl: string | null;
  registryAccess: RegistryAccess;
  /** Text of schemas/normalized-trade.avsc. */
  schema: string;
  /** Milliseconds since 1970. */
  fromMs: number | null;
  untilMs: number | null;
  toldMax: number;
  isJson: boolean;
}

export const help = `Proves or refutes, from the topics alone, that each trade is there once, as the exchange sent it.

usage: k2-audit --bootstrap-servers HOST:PORT[,..] --exchange EXCHANGE [options]

  --topic-raw, --topic-normalized, --topic-dead-letter, --topic-cursors TOPIC
  --feed NAMESPACE/NAME        the feed whose cursors are compared, if several have some
  --from, --until TIME         records of this time only: 2026-11-24T09:00:00Z, or milliseconds since 1970
  --schema-registry URL        asked for the schemas that trades were written in
  --schema FILE                the schema of normalized trades (default: schemas/normalized-trade.avsc)
  --findings COUNT             how many findings are told (default: 20); all are counted
  --json                       the report as one JSON object
  --tls                        with TLS; --tls-ca FILE, --tls-certificate FILE, --tls-key FILE (PEM)
  --sasl-mechanism MECHANISM   plain, scram-sha-256, scram-sha-512; --sasl-username NAME
  --sasl-password-file FILE    or the variable K2_KAFKA_SASL_PASSWORD

What is not given is taken from a worker's variables (K2_EXCHANGE, K2_KAFKA_BOOTSTRAP_SERVERS, ..).
exit codes: 0 no doubt, 1 findings, 2 bad usage, 3 not everything could be read`;

const example = 'k2-audit --bootstrap-servers redpanda-0:9092 --exchange binance';

const string = { type: 'string' } as const;
const boolean = { type: 'boolean' } as const;
const options = {
  'bootstrap-servers': string,
  exchange: string,
  'topic-raw': string,
  'topic-normalized': string,
  'topic-dead-letter': string,
  'topic-cursors': string,
  feed: string,
  from: string,
  until: string,
  'schema-registry': string,
  schema: string,
  findings: string,
  json: boolean,
  tls: boolean,
  'tls-ca': string,
  'tls-certificate': string,
  'tls-key': string,
  'sasl-mechanism': string,
  'sasl-username': string,
  'sasl-password-file': string,
  help: { type: 'boolean', short: 'h' },
} as const;

type Environment = Readonly<Record<string, string | undefined>>;
type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>['values'];

const passwordVariable = 'K2_KAFKA_SASL_PASSWORD';

const refuse = (why: string) => new Error(`${why}; for example: ${example}`);

/**
 * @returns null: help is asked for
 * @throws Error with one sentence: the option, what is wrong with it, and a right example
 */
export function parseUsage(args: string[], environment: Environment): Usage | null {
  const values = parse(args);
  if (values.help) return null;
  const read = reader(values, environment);
  const exchange = read('exchange', variables.exchange);
  const bootstrapServers = read('bootstrap-servers', variables.bootstrapServers);
  if (exchange === undefined) throw refuse(`--exchange is missing: one of ${Object.keys(readings).join(', ')}`);
  if (bootstrapServers === undefined) throw refuse('--bootstrap-servers is missing');
  const reading = readings[exchange];
  if (reading === undefined) throw refuse(`--exchange '${exchange}' is not one of ${Object.keys(readings).join(', ')}`);
  const topicNormalized = read('topic-normalized', variables.topicNormalized) ?? `market.crypto.trades.${exchange}`;
  const topicRaw = read('topic-raw', variables.topicRaw) ?? `${topicNormalized}.raw`;
  const given = accessGiven(environment);
  const [fromMs, untilMs] = [readTime('from', values.from), readTime('until', values.until)];
  if (fromMs !== null && untilMs !== null && fromMs >= untilMs) throw refuse('--from is not before --until');
  return {
    broker: {
      bootstrapServers,
      access: { tls: readTls(values) ?? given.kafka.tls, sasl: readSasl(values, environment) ?? given.kafka.sasl },
    },
    exchange,
    reading,
    topicRaw,
    topicNormalized,
    topicDeadLetter: read('topic-dead-letter', variables.topicDeadLetter) ?? `${topicRaw}.dlq`,
    topicCursors: read('topic-cursors', variables.topicCursors) ?? `market.crypto.cursors.${exchange}`,
    feed: read('feed', variables.feed) ?? null,
    schemaRegistryUrl: read('schema-registry', variables.schemaRegistryUrl) ?? null,
    registryAccess: given.registry,
    schema: readFile('schema', values.schema ?? join(environment.K2_SCHEMA_PATH ?? 'schemas', 'normalized-trade.avsc')),
    fromMs,
    untilMs,
    toldMax: readCount('findings', values.findings ?? '20'),
    isJson: values.json ?? false,
  };
}

function parse(args: string[]): Values {
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw refuse((error as Error).message.split('. ')[0] ?? '');
  }
}

/** Reads an option by the rule of the variable that it stands for; undefined: neither is given. */
function reader(values: Values, environment: Environment) {
  return <T>(name: keyof Values, { name: variable, schema }: Variable<T>): T | undefined => {
    const value = values[name] ?? (environment[variable] || undefined);
    if (value === undefined) return undefined;
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    const source = values[name] === undefined ? variable : `--${name}`;
    throw refuse(`${source} '${value}' ${result.error.issues[0]?.message}`);
  };
}

/** In a worker's pod: what the worker shows. */
function accessGiven(environment: Environment): { kafka: KafkaAccess; registry: RegistryAccess } {
  const read = <T>(variable: Variable<T>) => readVariable(environment, variable);
  const { kafkaAuthPath, kafkaCaPath, kafkaCertificatePath, registryAuthPath, registryCaPath } = variables;
  const paths = {
    kafkaAuthPath: read(kafkaAuthPath),
    kafkaCaPath: read(kafkaCaPath),
    kafkaCertificatePath: read(kafkaCertificatePath),
    registryAuthPath: read(registryAuthPath),
    registryCaPath: read(registryCaPath),
  };
  const secrets = readSecrets(paths, readSecretFolder);
  return { kafka: kafkaAccessOf(secrets, read(variables.kafkaTls)), registry: registryAccessOf(secrets) };
}

function readTls(values: Values): KafkaAccess['tls'] {
  const { tls, 'tls-ca': ca, 'tls-certificate': cert, 'tls-key': key } = values;
  if (!tls && (ca ?? cert ?? key) === undefined) return null;
  if ((cert === undefined) !== (key === undefined)) throw refuse('--tls-certificate and --tls-key belong together');
  return {
    ca: ca && readFile('tls-ca', ca),
    cert: cert && readFile('tls-certificate', cert),
    key: key && readFile('tls-key', key),
  };
}

function readSasl(values: Values, environment: Environment): KafkaAccess['sasl'] {
  const { 'sasl-mechanism': name, 'sasl-username': username, 'sasl-password-file': file } = values;
  if (name === undefined) {
    if ((username ?? file) !== undefined) throw refuse('--sasl-mechanism is missing');
    return null;
  }
  const mechanism: SaslMechanism | undefined = saslMechanisms.find((one) => one === name.toUpperCase());
  if (mechanism === undefined)
    throw refuse(`--sasl-mechanism '${name}' is not one of ${saslMechanisms.join(', ').toLowerCase()}`);
  if (username === undefined) throw refuse('--sasl-username is missing');
  const password = file === undefined ? environment[passwordVariable] : readFile('sasl-password-file', file).trim();
  if (!password)
    throw refuse(`the password is missing: set ${passwordVariable}, or name a file by --sasl-password-file`);
  return { mechanism, username, password };
}

function readTime(name: string, value: string | undefined): number | null {
  if (value === undefined) return null;
  const ms = /^\d{1,14}$/.test(value) ? Number(value) : zoned(value);
  if (Number.isNaN(ms)) {
    throw refuse(`--${name} '${value}' is no time: write 2026-11-24T09:00:00Z, or milliseconds since 1970`);
  }
  return ms;
}

/** A time without a zone would be another one on another machine. */
const zoned = (value: string) =>
  /^\d{4}-\d\d-\d\d(T.*(Z|[+-]\d\d:\d\d))?$/.test(value) ? Date.parse(value) : Number.NaN;

function readCount(name: string, value: string): number {
  if (!/^\d{1,7}$/.test(value)) throw refuse(`--${name} '${value}' is not a number`);
  return Number(value);
}

function readFile(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw refuse(`--${name} '${path}' cannot be read (${(error as Error).message})`);
  }
}
