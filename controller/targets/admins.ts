// Admin clients of Kafka brokers, one per address: opened when they are needed, dropped when they fail, and what went
// wrong said in the broker's words.
import kafkajs, { type Admin } from 'kafkajs';
import type { Logger } from '../../runtime/log.ts';
import { TargetError, wordsOf } from '../errors.ts';
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
   * @throws TargetError TopicRefused when the broker answered and refused, BrokerUnreachable otherwise
   */
  use<T>(brokers: string[], what: string, work: (admin: Admin) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function createAdmins(log: Logger): Admins {
  const admins = createPool<Admin>({
    open: (servers) => openAdmin(servers.split(','), log),
    close: (admin) => admin.disconnect(),
  });
  return { use: (brokers, what, work) => withAdmin(admins, brokers, what, work), close: () => admins.close() };
}

async function openAdmin(brokers: string[], log: Logger): Promise<Admin> {
  const kafka = new Kafka({
    clientId: 'k2-feed-operator',
    brokers,
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

async function withAdmin<T>(
  admins: Pool<Admin>,
  brokers: string[],
  what: string,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const key = brokers.join(',');
  try {
    return await withDeadline(admins.get(key).then(work), workMsMax);
  } catch (error) {
    // The broker answered, so it is there: what it says is about the topics.
    if (errorType(error) !== null)
      throw new TargetError('TopicRefused', `${what}: ${wordsOf(error)}`, { cause: error });
    // A client that lost its broker once may keep stale addresses: the next try gets a new one.
    admins.drop(key);
    throw new TargetError('BrokerUnreachable', `${key}: ${brokerWords(error)}`, { cause: error });
  }
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

/** The broker's error code by name, such as TOPIC_ALREADY_EXISTS; null: no answer of a broker. */
export function errorType(error: unknown): string | null {
  for (const part of errorsOf(error)) {
    // kafkajs wraps what it gave up on; the depth is two at most.
    for (const it of [part, part instanceof Error ? part.cause : null]) {
      if (it instanceof Error && 'type' in it && typeof it.type === 'string') return it.type;
    }
  }
  return null;
}

/** kafkajs trips over its own null when a broker goes away between two requests. */
const brokerWords = (error: unknown): string =>
  error instanceof TypeError ? 'the broker went away during a request' : wordsOf(error);
