// The Secrets that feeds name. All Secrets are watched, but only their names and versions; the few that are needed are
// read one by one, and again when their version is another. docs/decisions/0014-secrets.md
import { scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import type { ExchangeFeed } from '../api/exchange-feed.ts';
import {
  kafkaAccessOf,
  problemOf,
  registryAccessOf,
  type SecretData,
  type Secrets,
  type SecretUse,
  secretKeys,
} from '../api/secrets.ts';
import {
  type Access,
  isTlsWanted,
  openAccess,
  type SecretDefaults,
  type SecretMount,
  type SecretUseOf,
  secretsOf,
} from './access.ts';
import { TargetError } from './errors.ts';
import { KubeError } from './kube/errors.ts';
import { resourcePath } from './kube/object.ts';
import type { Transport } from './kube/transport.ts';

export const secrets = { group: '', version: 'v1', plural: 'secrets' };

export interface SecretReader {
  /**
   * @throws TargetError SecretMissing or SecretInvalid: which Secret, where it is named, what it lacks
   * @throws KubeError, TransportError
   */
  read(feed: ExchangeFeed): Promise<Access>;
}

export interface SecretReaderOptions {
  transport: Pick<Transport, 'request'>;
  /** The resourceVersion of a Secret as the watch last saw it; null: there is none. Keys are `<namespace>/<name>`. */
  versionOf: (secretKey: string) => string | null;
  defaults: SecretDefaults;
}

interface Contents {
  /** Only what a feed may use. */
  data: SecretData;
  digest: string;
}

// Five for each of a thousand feeds; beyond that they are read again.
const knownMax = 5_000;
const usableKeys = [
  ...new Set(Object.values(secretKeys).flatMap(({ required, optional }) => [...required, ...optional])),
];

export function createSecretReader({ transport, versionOf, defaults }: SecretReaderOptions): SecretReader {
  /** By key, with the version that the watch had seen when it was asked for. */
  const known = new Map<string, { resourceVersion: string; contents: Promise<Contents> }>();

  async function latest(namespace: string, name: string): Promise<Contents | null> {
    const key = `${namespace}/${name}`;
    const resourceVersion = versionOf(key);
    if (resourceVersion === null) return null;
    const before = known.get(key);
    if (before?.resourceVersion === resourceVersion) return before.contents;
    const asked = { resourceVersion, contents: readContents(transport, namespace, name) };
    if (known.size >= knownMax) known.clear();
    known.set(key, asked);
    // One that could not be read is asked for again.
    asked.contents.catch(() => known.get(key) === asked && known.delete(key));
    return asked.contents;
  }

  return {
    async read(feed) {
      const { namespace } = feed.metadata;
      const named = secretsOf(feed, defaults);
      const isTls = isTlsWanted(feed, defaults);
      if (named.length === 0) return { ...openAccess, kafka: kafkaAccessOf({}, isTls) };
      const found = await Promise.all(named.map(({ name }) => latest(namespace, name)));
      const data: Partial<Record<SecretUse, SecretData>> = {};
      named.forEach((it, index) => {
        data[it.use] = checked(namespace, it, found[index] ?? null);
      });
      return {
        kafka: kafkaAccessOf(data, isTls),
        registry: registryAccessOf(data),
        mounts: named.map((it) => mountOf(it, data)),
        hash: found.map((contents) => contents?.digest).join('-'),
      };
    },
  };
}

/** @throws TargetError, KubeError, TransportError */
async function readContents(transport: Pick<Transport, 'request'>, namespace: string, name: string): Promise<Contents> {
  const path = resourcePath({ ...secrets, namespace, name });
  try {
    const { data = {} } = await transport.request<{ data?: Record<string, string> }>('GET', path);
    const used = usableKeys.flatMap((key) => {
      const value = data[key];
      return value === undefined ? [] : [[key, Buffer.from(value, 'base64').toString('utf8')] as const];
    });
    const digest = await digestOf(`${namespace}/${name}`, JSON.stringify(used));
    return { data: Object.fromEntries(used), digest };
  } catch (error) {
    if (!(error instanceof KubeError) || (error.status !== 404 && error.status !== 403)) throw error;
    throw new TargetError('SecretMissing', error.message, { cause: error });
  }
}

const derive = promisify<string, string, number, { N: number }, Buffer>(scrypt);

/**
 * Whoever may read pods sees it, and must not be able to try passwords with it: that costs him some 10 ms and 4 MiB for
 * each, where SHA-256 would cost nothing. https://www.rfc-editor.org/rfc/rfc7914
 */
async function digestOf(secretKey: string, text: string): Promise<string> {
  return (await derive(text, secretKey, 12, { N: 4096 })).toString('base64url');
}

function checked(namespace: string, { use, name, field }: SecretUseOf, contents: Contents | null): SecretData {
  const what = `Secret ${name}, named by ${field},`;
  if (contents === null) throw new TargetError('SecretMissing', `${what} is not in namespace ${namespace}`);
  const problem = problemOf(use, contents.data);
  if (problem !== null) throw new TargetError('SecretInvalid', `${what} ${problem}`);
  return contents.data;
}

function mountOf({ use, name }: SecretUseOf, data: Secrets): SecretMount {
  const { required, optional } = secretKeys[use];
  return { use, secretName: name, keys: [...required, ...optional].filter((key) => data[use]?.[key] !== undefined) };
}

/** Which feeds name which Secrets. */
export interface SecretIndex {
  /** @param secretKeys none: it names none, or is gone */
  set(feedKey: string, secretKeys: readonly string[]): void;
  feedsOf(secretKey: string): readonly string[];
}

export function createSecretIndex(): SecretIndex {
  const secretsOfFeed = new Map<string, readonly string[]>();
  const feedsOfSecret = new Map<string, Set<string>>();
  return {
    set(feedKey, secretKeys) {
      for (const key of secretsOfFeed.get(feedKey) ?? []) {
        const feeds = feedsOfSecret.get(key);
        feeds?.delete(feedKey);
        if (feeds?.size === 0) feedsOfSecret.delete(key);
      }
      secretsOfFeed.delete(feedKey);
      if (secretKeys.length > 0) secretsOfFeed.set(feedKey, secretKeys);
      for (const key of secretKeys) feedsOfSecret.set(key, (feedsOfSecret.get(key) ?? new Set()).add(feedKey));
    },
    feedsOf: (secretKey) => [...(feedsOfSecret.get(secretKey) ?? [])],
  };
}
