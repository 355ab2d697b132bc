// Admin clients of Kafka brokers, one per address and Secrets: opened when they are needed, dropped when they fail, and
// what went wrong said in the broker's words.
import kafkajs, { type Admin, type SASLOptions } from 'kafkajs';
import type { Sasl } from '../../api/secrets.ts';
import type { Logger } from '../../runtime/log.ts';
import { isTlsFailure, plainWords } from '../../runtime/tls-failures.ts';
import type { Brokers } from '../access.ts';
import { type Reason, TargetError, wordsOf } from '../errors.ts';
import { createPool, type Pool } from './pool.ts';

// A CommonJS package whose names Node cannot all find by itself.
const { Kafka, logLevel } = kafkajs;

// A broker that does not answer must show in the feed's status within 10 s, after two tries to connect.
const workMsMax = 8_000;
const connectMsMax = 2_000;
export const requestMsMax = 4_000;
// Leader elections after a topic was created take some 100 ms; longer trouble is for the reconcile's own backoff.
const retry = { initialRetryTime: 100, maxRetryTime: 500, retries: 3 };
const connectRetry = { ...retry, retries: 1 };

export interface Admins {
  /**
   * Does `work` with the broker's client, within 8 s.
   * @param what is done, for the message
   * @throws TargetError AuthFailed when the broker does not know or not trust us, or we not the broker; TopicRefused
   * when it answered and refused; BrokerUnreachable otherwise
   */
  use<T>(brokers: Brokers, what: string, work: (admin: Admin) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function createAdmins(log: Logger): Admins {
  const admins = createPool<Admin>((admin) => admin.disconnect());
  const open = (brokers: Brokers) => openAdmin(brokers, log);
  return { use: (brokers, what, work) => withAdmin(admins, open, brokers, what, work), close: () => admins.close() };
}

async function openAdmin({ servers, access: { tls, sasl } }: Brokers, log: Logger): Promise<Admin> {
  const kafka = new Kafka({
    clientId: 'k2-feed-operator',
    brokers: [...servers],
    ...(tls && { ssl: { ca: tls.ca, cert: tls.cert, key: tls.key } }),
    ...(sasl && { sasl: saslOptions(sasl) }),
    connectionTimeout: connectMsMax,
    requestTimeout: requestMsMax,
    retry: connectRetry,
    // What matters comes back as an error; its own ERROR lines are also about what it retries with success.
    logLevel: logLevel.WARN,
    logCreator:
      () =>
      ({ namespace, log: { message, timestamp, ...details } }) =>
        log.debug({ ...details, client: `kafkajs ${namespace}` }, message),
  });
  const admin = kafka.admin({ retry });
  await admin.connect();
  return admin;
}

function saslOptions({ mechanism, username, password }: Sasl): SASLOptions {
  const login = { username, password };
  switch (mechanism) {
    case 'PLAIN':
      return { mechanism: 'plain', ...login };
    case 'SCRAM-SHA-256':
      return { mechanism: 'scram-sha-256', ...login };
    case 'SCRAM-SHA-512':
      return { mechanism: 'scram-sha-512', ...login };
  }
}

async function withAdmin<T>(
  admins: Pool<Admin>,
  open: (brokers: Brokers) => Promise<Admin>,
  brokers: Brokers,
  what: string,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const { key, version } = brokers;
  try {
    return await withDeadline(admins.get(key, version, () => open(brokers)).then(work), workMsMax);
  } catch (error) {
    // The broker answered, so it is there: what it says is about the topics.
    if (errorType(error) !== null) throw refusalOf(what, error);
    // A client that lost its broker once may keep stale addresses: the next try gets a new one.
    admins.drop(key);
    const reason: Reason = isAuthFailure(error) ? 'AuthFailed' : 'BrokerUnreachable';
    throw new TargetError(reason, `${brokers.servers.join()}: ${brokerWords(error)}`, { cause: error });
  }
}

/** What a broker answered, as a failure. @param what was asked for */
export function refusalOf(what: string, error: unknown): TargetError {
  const reason: Reason = isAuthFailure(error) ? 'AuthFailed' : 'TopicRefused';
  return new TargetError(reason, `${what}: ${wordsOf(error)}`, { cause: error });
}

async function withDeadline<T>(work: Promise<T>, delayMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${delayMs} ms`)), delayMs);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

export const errorsOf = (error: unknown): unknown[] =>
  error instanceof Error && 'errors' in error && Array.isArray(error.errors) ? error.errors : [error];

/** Those of an aggregate, each with its cause: kafkajs wraps what it gave up on, and the depth is two at most. */
const allOf = (error: unknown): Error[] =>
  errorsOf(error)
    .flatMap((part) => [part, part instanceof Error ? part.cause : null])
    .filter((it) => it instanceof Error);

/** The broker's error code by name, such as TOPIC_ALREADY_EXISTS; null: no answer of a broker. */
export function errorType(error: unknown): string | null {
  const found = allOf(error).find((it) => 'type' in it && typeof it.type === 'string');
  return found === undefined ? null : String((found as Error & { type: string }).type);
}

// https://kafka.apache.org/protocol#protocol_error_codes
const authTypes = /_AUTHORIZATION_FAILED$|^SASL_|^UNSUPPORTED_SASL_MECHANISM$|^ILLEGAL_SASL_STATE$/;

/** One side does not accept who the other is, or what it may do. */
function isAuthFailure(error: unknown): boolean {
  const all = allOf(error);
  return (
    all.some((it) => it.name === 'KafkaJSSASLAuthenticationError' || isTlsFailure(it)) ||
    authTypes.test(errorType(error) ?? '')
  );
}

/** kafkajs trips over its own null when a broker goes away between two requests. */
const brokerWords = (error: unknown): string =>
  error instanceof TypeError ? 'the broker went away during a request' : plainWords(wordsOf(error));
