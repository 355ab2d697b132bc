// Subjects in a schema registry: looked up and registered; removed only by name.
import { hash } from 'node:crypto';
import type { RegistryPlace } from '../access.ts';
import type { Subject } from '../desired.ts';
import { type Ledger, noted } from '../ledger.ts';
import type { ObservedSubjects, SubjectAction } from '../plan.ts';
import { createRegistry, type Registry } from './registry.ts';
import type { Removable, Target } from './target.ts';

export interface DesiredSubjects {
  registry: RegistryPlace;
  subjects: Subject[];
}

export interface SubjectsTarget
  extends Target<DesiredSubjects, ObservedSubjects, SubjectAction>,
    Removable<DesiredSubjects> {}

export interface SubjectsTargetOptions {
  ledger: Ledger;
  /** Monotonic, milliseconds. */
  nowMs: () => number;
}

/** What was found once serves all feeds that share the subject. */
interface Found {
  id: Promise<number | null>;
  askedMs: number;
}

// A client holds no connection.
const registriesMax = 32;
// Two for each of some thousand feeds; beyond that, what was found is asked again.
const foundMax = 10_000;

export function createSubjectsTarget({ ledger, nowMs }: SubjectsTargetOptions): SubjectsTarget {
  const registries = new Map<string, { version: string; registry: Registry }>();
  const found = new Map<string, Found>();

  /** One of another version has the credentials of before a Secret was rotated. */
  function registryAt(place: RegistryPlace): Registry {
    const { key, version } = place;
    const known = registries.get(key);
    if (known?.version === version) return known.registry;
    const registry = createRegistry(place);
    if (registries.size >= registriesMax) registries.clear();
    registries.set(key, { version, registry });
    return registry;
  }

  function find(place: RegistryPlace, { name, schema }: Subject, ageMsMax: number): Promise<number | null> {
    const key = hash('sha256', JSON.stringify([place.key, name, schema]));
    const known = found.get(key);
    if (known !== undefined && nowMs() - known.askedMs < ageMsMax) return known.id;
    const id = registryAt(place).find(name, schema);
    if (found.size >= foundMax) found.clear();
    found.set(key, { id, askedMs: nowMs() });
    id.catch(() => found.get(key)?.id === id && found.delete(key));
    return id;
  }

  async function register(place: RegistryPlace, subjects: Subject[]): Promise<void> {
    const registry = registryAt(place);
    const states = await Promise.all(
      subjects.map(async ({ name }) => ({ name, isNew: !(await registry.exists(name)) })),
    );
    const made = states.flatMap(({ name, isNew }) => (isNew ? [name] : []));
    if (made.length > 0) await noted('SchemaRefused', ledger.begin(place.url, made));
    await Promise.all(subjects.map(({ name, schema }) => registry.register(name, schema)));
    if (made.length > 0) await ledger.end(place.url, { made, found: [] });
  }

  return {
    async observe({ registry, subjects }, ageMsMax = 0) {
      const ids = await Promise.all(subjects.map((subject) => find(registry, subject, ageMsMax)));
      return new Map(
        subjects.flatMap(({ name }, index) => {
          const id = ids[index] ?? null;
          return id === null ? [] : [[name, id] as const];
        }),
      );
    },
    apply: ({ registry }, { subjects }) => register(registry, subjects),
    async made({ registry, subjects }) {
      const ours = await ledger.made(registry.url, 'fresh');
      return new Set(subjects.map(({ name }) => name).filter((name) => ours.has(name)));
    },
    async remove({ registry }, names) {
      await Promise.all(names.map((name) => registryAt(registry).remove(name)));
      await ledger.forget(registry.url, names);
    },
  };
}
