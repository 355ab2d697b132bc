// The client of both producers, and the bounds of what both ask of a broker: connections and metadata of
// @platformatic/kafka, without its own repeats.
import { isIP } from 'node:net';
import { Base, type Broker } from '@platformatic/kafka';
import { type KafkaAccess, openKafka } from '../../api/secrets.ts';
import type { BackoffLimits } from '../../runtime/backoff.ts';

/** A broker that neither answers nor closes is told after this time, and asked again over a new connection. */
const requestMsMax = 10_000;

/** Shared by the batches of one request. A broker takes 100 MiB by default; memory and time-outs want less. */
export const requestBytesMax = 4_000_000;

/** Forever at the longest delay: the buffer is bounded, and a record must not be dropped. */
export const retryLimits: BackoffLimits = { delayMsBase: 100, delayMsMax: 5000 };

/** New partitions are found after this time. */
export const metadataAgeMsMax = 60_000;

/** More than any cluster has brokers; they may change their addresses over time. */
const addressesMax = 1000;

export interface ClientOptions {
  bootstrapServers: string[];
  clientId: string;
  /** Absent: no TLS, no SASL. Read anew for each connection. */
  access?: KafkaAccess;
}

export function createClient({ bootstrapServers, clientId, access = openKafka }: ClientOptions): Base {
  const { tls, sasl } = access;
  const client = new Base({
    clientId,
    bootstrapBrokers: bootstrapServers,
    autocreateTopics: false,
    retries: 0,
    requestTimeout: requestMsMax,
    // Some brokers have to be told the name that was asked for; an address is none (RFC 6066).
    ...(tls && { tls, tlsServerName: !bootstrapServers.some(isAddress) }),
    ...(sasl && { sasl }),
  });
  // The pool hears the first error of a connection only; a second one would end the process.
  client.connections.on('connecting', ({ connection }) => connection.on('error', (error) => breaks.set(client, error)));
  client.connections.on('connect', () => breaks.delete(client));
  askSteadyBrokersFirst(client);
  return client;
}

/** Why the last connection of a client broke that was made. */
const breaks = new WeakMap<Base, Error>();

/** A request on a connection that breaks is told that it is closed, and no more: a broker's TLS alert says why. */
export function explained(client: Base, error: Error): Error {
  const known = breaks.get(client);
  return known === undefined
    ? error
    : new AggregateError([error, known].filter((one) => one === known || !isClosed(one)));
}

function isClosed(error: Error): boolean {
  return error.message === 'Connection closed' || (error.cause instanceof Error && isClosed(error.cause));
}

const isAddress = (server: string) => isIP(server.replace(/:\d+$/, '').replace(/[[\]]/g, '')) !== 0;

/**
 * What any broker may answer, metadata above all, the library asks of the first in its list that takes a connection.
 * One that hangs takes connections, too, as does a proxy before one that is dead: without this nobody else is asked.
 */
function askSteadyBrokersFirst({ connections }: Base): void {
  const addressOf = ({ host, port }: Broker) => `${host}:${port}`;
  const endings = new Map<string, number>();
  const count = ({ broker }: { broker: Broker }) => {
    if (endings.size >= addressesMax) endings.clear();
    endings.set(addressOf(broker), endingsOf(broker) + 1);
  };
  const endingsOf = (broker: Broker) => endings.get(addressOf(broker)) ?? 0;
  connections.on('disconnect', count);
  connections.on('failed', count);
  const getFirstAvailable = connections.getFirstAvailable.bind(connections);
  connections.getFirstAvailable = ((brokers, callback) =>
    getFirstAvailable(
      brokers.toSorted((a, b) => endingsOf(a) - endingsOf(b)),
      callback,
    )) as typeof getFirstAvailable;
}
