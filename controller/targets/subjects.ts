// Subjects in a schema registry with the Confluent API: looked up and registered, never deleted.
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { COMPATIBILITY, SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import type { Subject } from '../desired.ts';
import { TargetError, wordsOf } from '../errors.ts';
import type { ObservedSubjects, SubjectAction } from '../plan.ts';
import type { Target } from './target.ts';

export interface DesiredSubjects {
  schemaRegistryUrl: string;
  subjects: Subject[];
}

export type SubjectsTarget = Target<DesiredSubjects, ObservedSubjects, SubjectAction>;

const clientId = 'k2-feed-operator';
const requestMsMax = 5_000;
// The reconcile has a backoff of its own.
const retry = { retries: 0 };
// A registry client holds no connection, only the ids it has seen.
const registriesMax = 32;

export function createSubjectsTarget(): SubjectsTarget {
  const registries = new Map<string, SchemaRegistry>();
  const registryAt = (url: string): SchemaRegistry => {
    const registry = registries.get(url) ?? createRegistry(url);
    if (registries.size >= registriesMax) registries.clear();
    registries.set(url, registry);
    return registry;
  };
  return {
    async observe({ schemaRegistryUrl, subjects }) {
      const registry = registryAt(schemaRegistryUrl);
      const ids = await Promise.all(subjects.map((subject) => lookUp(registry, schemaRegistryUrl, subject)));
      return new Map(
        subjects.flatMap(({ name }, index) => {
          const id = ids[index] ?? null;
          return id === null ? [] : [[name, id] as const];
        }),
      );
    },
    async apply({ schemaRegistryUrl }, { subjects }) {
      const registry = registryAt(schemaRegistryUrl);
      await Promise.all(subjects.map((subject) => register(registry, schemaRegistryUrl, subject)));
    },
  };
}

type RegistryOptions = ConstructorParameters<typeof SchemaRegistry>[0];
type Middleware = NonNullable<RegistryOptions['middlewares']>[number];

// The client itself waits for ever.
const timeOut: Middleware = () => ({
  prepareRequest: async (next) => (await next()).enhance({ timeout: requestMsMax }),
});

function createRegistry(host: string): SchemaRegistry {
  // Requests are minutes apart, and a POST on a connection that the registry has just closed is not tried again.
  const agent = host.startsWith('https:') ? new HttpsAgent({ keepAlive: false }) : new HttpAgent({ keepAlive: false });
  return new SchemaRegistry({ host, clientId, agent, retry, middlewares: [timeOut] });
}

const avro = (schema: string) => ({ type: SchemaType.AVRO as const, schema });

/** The registry's id of exactly this schema in this subject; null: not registered there. */
async function lookUp(registry: SchemaRegistry, url: string, { name, schema }: Subject): Promise<number | null> {
  try {
    return await registry.getRegistryIdBySchema(name, avro(schema));
  } catch (error) {
    // Its name for 404: no such subject, or not this schema.
    if (error instanceof Error && error.name === 'ConfluentSchemaRegistryError') return null;
    throw failure(error, url, name);
  }
}

/** Makes a new subject BACKWARD compatible, too: a consumer with the new schema reads all old records. */
async function register(registry: SchemaRegistry, url: string, { name, schema }: Subject): Promise<void> {
  try {
    await registry.register(avro(schema), { subject: name, compatibility: COMPATIBILITY.BACKWARD });
  } catch (error) {
    throw failure(error, url, name);
  }
}

function failure(error: unknown, url: string, subject: string): TargetError {
  // The client puts its own id in front, and calls it status 400 when there was no answer at all.
  const said = wordsOf(error).replace(/^k2-feed-operator - (Error, status 400: )?/, '');
  const status = error instanceof Error && 'status' in error ? error.status : null;
  // The other one: somebody has set another compatibility for the subject.
  if (status === 409 || (error instanceof Error && error.name === 'ConfluentSchemaRegistryCompatibilityError')) {
    return new TargetError('SchemaIncompatible', `${subject}: ${said}`, { cause: error });
  }
  if (status === 422) return new TargetError('SchemaRefused', `${subject}: ${said}`, { cause: error });
  return new TargetError('RegistryUnreachable', `${url}: ${said}`, { cause: error });
}
