// What makes a broker ask who somebody is, and what he may do: properties, users, rights; and the folders that a worker
// is given, as Kubernetes mounts Secrets.
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { alterUserScramCredentialsV0 } from '@platformatic/kafka';
import { type AclEntry, AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from 'kafkajs';
import { createClient } from '../../worker/producer/client.ts';
import type { Pair } from '../controller/kube/certificate.ts';
import type { Properties } from '../services/kafka.ts';
import type { FeedTopics } from '../worker/feed-topics.ts';
import type { World } from './world.ts';

/** A Java properties file knows this escape. */
const onOneLine = (pem: string) => pem.trimEnd().replaceAll('\n', '\\n');

const own = (name: string) => `listener.name.worker.${name}`;

/** Nobody may do what is not allowed, but for the test's own clients, which come without a name. */
const authorizer: Properties = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users': 'User:ANONYMOUS',
};

const tls = (broker: Pair, authority: string): Properties => ({
  [own('ssl.keystore.type')]: 'PEM',
  [own('ssl.keystore.certificate.chain')]: onOneLine(broker.cert),
  [own('ssl.keystore.key')]: onOneLine(broker.key),
  [own('ssl.truststore.type')]: 'PEM',
  [own('ssl.truststore.certificates')]: onOneLine(authority),
});

const protocols = (ofWorker: string) => ({
  'listener.security.protocol.map': `CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,WORKER:${ofWorker}`,
});

/** Workers come with TLS and a password. @param plainUsers passwords of those who may come with PLAIN */
export function saslSsl(broker: Pair, authority: string, plainUsers: Record<string, string>): Properties {
  const module = 'org.apache.kafka.common.security';
  const users = Object.entries(plainUsers).map(([name, password]) => `user_${name}="${password}"`);
  const scram = `${module}.scram.ScramLoginModule required;`;
  return {
    ...authorizer,
    ...protocols('SASL_SSL'),
    ...tls(broker, authority),
    [own('sasl.enabled.mechanisms')]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    [own('plain.sasl.jaas.config')]: `${module}.plain.PlainLoginModule required ${users.join(' ')};`,
    [own('scram-sha-256.sasl.jaas.config')]: scram,
    [own('scram-sha-512.sasl.jaas.config')]: scram,
  };
}

/**
 * Whoever comes with SCRAM-SHA-256 has to show his password again every few seconds. Not for kafkajs, which does it
 * 10 s before a session ends: at once and again at once, and a broker refuses that within a second.
 */
export const shortSessions: Properties = { [own('scram-sha-256.connections.max.reauth.ms')]: 4000 };

/** Workers come with a certificate. */
export function mutualTls(broker: Pair, authority: string): Properties {
  return { ...authorizer, ...protocols('SSL'), ...tls(broker, authority), [own('ssl.client.auth')]: 'required' };
}

const scramKinds = { 'SCRAM-SHA-256': [1, 'sha256', 32], 'SCRAM-SHA-512': [2, 'sha512', 64] } as const;
const iterations = 4096;

/** Makes a user, or gives him another password. https://cwiki.apache.org/confluence/x/tojcC (KIP-554) */
export async function setPassword(
  { cluster }: World,
  name: string,
  password: string,
  mechanism: keyof typeof scramKinds = 'SCRAM-SHA-512',
): Promise<void> {
  const [kind, digest, bytes] = scramKinds[mechanism];
  const salt = randomBytes(16);
  const saltedPassword = pbkdf2Sync(password, salt, iterations, bytes, digest);
  const client = createClient({ clientId: 'faults', bootstrapServers: cluster.bootstrapServers.split(',') });
  try {
    const connection = await client.connections.get(cluster.addressOf(cluster.answering()));
    const user = { name, mechanism: kind, iterations, salt, saltedPassword };
    await alterUserScramCredentialsV0.api.async(connection, [], [user]);
  } finally {
    await client.close();
  }
}

type Right = readonly [keyof typeof AclResourceTypes, string, keyof typeof AclOperationTypes];

/** What docs/reference/secrets.md says that a worker needs. */
export function workerRights({ raw, normalized, cursors }: FeedTopics): Right[] {
  const written = [raw, normalized, `${raw}.dlq`, cursors];
  return [
    ...written.flatMap((topic): Right[] => [
      ['TOPIC', topic, 'DESCRIBE'],
      ['TOPIC', topic, 'WRITE'],
    ]),
    ['TOPIC', normalized, 'READ'],
    ['TOPIC', cursors, 'READ'],
    ['TRANSACTIONAL_ID', `test/${normalized}/0`, 'DESCRIBE'],
    ['TRANSACTIONAL_ID', `test/${normalized}/0`, 'WRITE'],
  ];
}

const aclOf = (principal: string, [type, resourceName, operation]: Right): AclEntry => ({
  resourceType: AclResourceTypes[type],
  resourceName,
  resourcePatternType: ResourcePatternTypes.LITERAL,
  principal,
  host: '*',
  operation: AclOperationTypes[operation],
  permissionType: AclPermissionTypes.ALLOW,
});

export async function allow({ admin }: World, principal: string, rights: readonly Right[]): Promise<void> {
  await admin.topics.createAcls({ acl: rights.map((right) => aclOf(principal, right)) });
}

/** Folders of one test, each with the files of a Secret. */
export class Folders {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  static async create(): Promise<Folders> {
    return new Folders(await mkdtemp(join(tmpdir(), 'k2-secrets-')));
  }

  /** Writes the files of a folder. @returns its path */
  async write(name: string, files: Record<string, string>): Promise<string> {
    const path = join(this.#root, name);
    await mkdir(path, { recursive: true });
    for (const [file, text] of Object.entries(files)) await writeFile(join(path, file), text);
    return path;
  }

  async remove(): Promise<void> {
    await rm(this.#root, { recursive: true });
  }
}
