// The Secrets that a feed may name: which keys they hold, and what their texts mean for a connection. The controller
// reads them from the API server, a worker and k2-audit from the folder that each is mounted as. Pure.
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';

/** What a Secret holds, by key. */
export type SecretData = Readonly<Record<string, string>>;

export const saslMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
export type SaslMechanism = (typeof saslMechanisms)[number];

export interface Login {
  username: string;
  password: string;
}

export interface Sasl extends Login {
  mechanism: SaslMechanism;
}

/** As node:tls takes it, in PEM; without `ca` the system's authorities are trusted. */
export interface Tls {
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
}

/** How brokers are spoken to; null: without. */
export interface KafkaAccess {
  tls: Tls | null;
  sasl: Sasl | null;
}

/** How the schema registry is spoken to; null: without. Whether with TLS, its URL says. */
export interface RegistryAccess {
  ca: string | null;
  login: Login | null;
}

export const openKafka: KafkaAccess = { tls: null, sasl: null };
export const openRegistry: RegistryAccess = { ca: null, login: null };

interface Keys {
  required: readonly string[];
  optional: readonly string[];
}

const login: Keys = { required: ['username', 'password'], optional: [] };
const authority: Keys = { required: ['ca.crt'], optional: [] };

/** By use; a use is also the name of the folder that a worker has the Secret in. */
export const secretKeys = {
  'kafka-auth': { ...login, optional: ['mechanism'] },
  'kafka-ca': authority,
  // Those of type kubernetes.io/tls: https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets
  'kafka-certificate': { required: ['tls.crt', 'tls.key'], optional: [] },
  'registry-auth': login,
  'registry-ca': authority,
} as const satisfies Record<string, Keys>;

export type SecretUse = keyof typeof secretKeys;

/** All that may be named, each absent where it is not. */
export type Secrets = Readonly<Partial<Record<SecretUse, SecretData>>>;

/**
 * Says what is wrong with a Secret's data, to follow its name: `has no "password"; ..`. Never a part of the data.
 * @returns null: nothing
 */
export function problemOf(use: SecretUse, data: SecretData): string | null {
  const { required, optional }: Keys = secretKeys[use];
  const missing = required.find((key) => textOf(data, key) === undefined);
  if (missing !== undefined) {
    const may = optional.length === 0 ? '' : `, and may be ${optional.join(', ')}`;
    return `has no "${missing}"; its keys must be ${required.join(', ')}${may}`;
  }
  if (use === 'kafka-auth' && mechanismOf(data) === undefined) {
    return `has a "mechanism" that is not one of ${saslMechanisms.join(', ')}`;
  }
  return use === 'kafka-ca' || use === 'registry-ca' || use === 'kafka-certificate' ? problemOfPem(use, data) : null;
}

function problemOfPem(use: SecretUse, data: SecretData): string | null {
  const key = use === 'kafka-certificate' ? 'tls.crt' : 'ca.crt';
  try {
    new X509Certificate(data[key] ?? '');
  } catch {
    return `has in "${key}" no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----`;
  }
  if (use !== 'kafka-certificate') return null;
  try {
    createSecureContext({ cert: data['tls.crt'], key: data['tls.key'] });
  } catch {
    return 'has in "tls.key" no private key in PEM, without a passphrase, that belongs to "tls.crt"';
  }
  return null;
}

/** @param isTls whether TLS is asked for, beside what the Secrets say */
export function kafkaAccessOf(secrets: Secrets, isTls: boolean): KafkaAccess {
  const { 'kafka-auth': auth, 'kafka-ca': ca, 'kafka-certificate': certificate } = secrets;
  const isEncrypted = isTls || ca !== undefined || certificate !== undefined;
  return {
    tls: isEncrypted ? { ca: ca?.['ca.crt'], cert: certificate?.['tls.crt'], key: certificate?.['tls.key'] } : null,
    sasl: auth === undefined ? null : { mechanism: mechanismOf(auth) ?? 'SCRAM-SHA-512', ...loginOf(auth) },
  };
}

export function registryAccessOf({ 'registry-auth': auth, 'registry-ca': ca }: Secrets): RegistryAccess {
  return { ca: ca?.['ca.crt'] ?? null, login: auth === undefined ? null : loginOf(auth) };
}

const loginOf = (data: SecretData): Login => ({
  username: textOf(data, 'username') ?? '',
  password: textOf(data, 'password') ?? '',
});

/** The default is what Strimzi and Redpanda make for a user; undefined: there is no such mechanism. */
function mechanismOf(data: SecretData): SaslMechanism | undefined {
  const name = textOf(data, 'mechanism')?.toUpperCase() ?? 'SCRAM-SHA-512';
  return saslMechanisms.find((mechanism) => mechanism === name);
}

/** Without the end of the line, which `echo` adds and nobody means; undefined: not there, or empty. */
const textOf = (data: SecretData, key: string): string | undefined => data[key]?.replace(/\r?\n$/, '') || undefined;
