// What this operator made outside Kubernetes, since neither a broker nor a registry remembers who made what: a
// ConfigMap for each Kafka cluster and each registry, in the controller's own namespace, with one entry for each topic
// or subject. docs/decisions/0013-ownership-of-topics.md
import { hash } from 'node:crypto';
import { type Reason, TargetError } from './errors.ts';
import { isNotFound, KubeError } from './kube/errors.ts';
import { resourcePath } from './kube/object.ts';
import type { Transport } from './kube/transport.ts';

export interface Ledger {
  /**
   * What this operator made and did not take away again.
   * @param place where: a Kafka cluster's id, or a registry's URL
   * @param fresh read again, in case that a person has changed it; otherwise as it was first read
   * @throws KubeError, TransportError
   */
  made(place: string, fresh?: 'fresh'): Promise<ReadonlySet<string>>;
  /** `names` are about to be made: nothing may be before this resolves. @throws KubeError, TransportError */
  begin(place: string, names: readonly string[]): Promise<void>;
  /**
   * How it went: what was there already becomes again what it was before. What cannot be written is written next time.
   * @throws KubeError, TransportError
   */
  end(place: string, outcome: { made: readonly string[]; found: readonly string[] }): Promise<void>;
  /** `names` are gone. @throws KubeError, TransportError */
  forget(place: string, names: readonly string[]): Promise<void>;
}

export interface LedgerOptions {
  transport: Transport;
  /** The controller's own. */
  namespace: string;
  fieldManager: string;
}

// An entry that says so may be of a topic that this operator made, or that it never came to make and somebody else did.
const making = 'making';
const made = 'made';

/** By name of a topic or subject. */
type Entries = Record<string, string>;

/** One ConfigMap, as this process has it. */
interface Page {
  entries: Map<string, string>;
  /** What began to be made although it was made before: somebody took it away, or another feed was faster. */
  remade: Set<string>;
  /** Not written yet; null: to be removed. */
  dirty: Map<string, string | null>;
  /** The write that will take along what is dirty now; null: none is waiting. */
  next: Promise<void> | null;
  /** Ends when the request under way and all that wait have; never rejects. */
  last: Promise<unknown>;
}

// Entries are about 100 bytes for a name of 40 characters, with what the API server notes of each: etcd takes 1.5 MiB,
// so about 10,000 topics fit. What does not fit is not made, in the API server's words.
const configMaps = { group: '', version: 'v1', plural: 'configmaps' };

export function createLedger({ transport, namespace, fieldManager }: LedgerOptions): Ledger {
  const pages = new Map<string, Promise<Page>>();

  function pageOf(place: string): Promise<Page> {
    const page = pages.get(place) ?? load(place).then(newPage);
    pages.set(place, page);
    // One that could not be read is read again next time.
    page.catch(() => pages.get(place) === page && pages.delete(place));
    return page;
  }

  async function load(place: string): Promise<Entries> {
    try {
      const { data } = await transport.request<{ data?: Entries }>('GET', pathOf(place));
      return data ?? {};
    } catch (error) {
      if (isNotFound(error)) return {};
      throw error;
    }
  }

  async function readAgain(place: string, page: Page): Promise<void> {
    const read = new Map(Object.entries(await load(place)));
    for (const [name, entry] of page.dirty) {
      if (entry === null) read.delete(name);
      else read.set(name, entry);
    }
    page.entries = read;
  }

  function note(page: Page, names: readonly string[], entry: string | null): void {
    for (const name of names) {
      if (entry === null) page.entries.delete(name);
      else page.entries.set(name, entry);
      page.dirty.set(name, entry);
    }
  }

  /** One request at a time; what is noted while one is under way goes with the next write. */
  async function save(place: string, page: Page): Promise<void> {
    if (page.dirty.size === 0) return;
    page.next ??= inTurn(page, () => {
      page.next = null;
      return write(place, page);
    });
    await page.next;
  }

  async function write(place: string, page: Page): Promise<void> {
    const sent = new Map(page.dirty);
    page.dirty.clear();
    try {
      await patch(place, Object.fromEntries(sent));
    } catch (error) {
      for (const [name, entry] of sent) {
        if (page.dirty.has(name)) continue;
        // It will not be made, and must not stand in the way of the next write.
        if (entry === making) takeBack(page, name);
        else page.dirty.set(name, entry);
      }
      throw error;
    }
  }

  /** A merge patch touches no other entry, and null removes one. https://www.rfc-editor.org/rfc/rfc7386 */
  async function patch(place: string, data: Record<string, string | null>): Promise<void> {
    const contentType = 'application/merge-patch+json';
    const change = () =>
      transport.request('PATCH', pathOf(place), { query: { fieldManager }, contentType, body: { data } });
    try {
      await change();
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await create(place);
      await change();
    }
  }

  async function create(place: string): Promise<void> {
    const metadata = { name: nameOf(place), namespace, annotations: { [placeAnnotation]: place } };
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata };
    try {
      await transport.request('POST', resourcePath({ ...configMaps, namespace }), { query: { fieldManager }, body });
    } catch (error) {
      if (!(error instanceof KubeError && error.reason === 'AlreadyExists')) throw error;
    }
  }

  const pathOf = (place: string) => resourcePath({ ...configMaps, namespace, name: nameOf(place) });

  return {
    async made(place, fresh) {
      const page = await pageOf(place);
      await save(place, page);
      if (fresh !== undefined) await inTurn(page, () => readAgain(place, page));
      return new Set([...page.entries].flatMap(([name, entry]) => (entry === making ? [] : [name])));
    },
    async begin(place, names) {
      const page = await pageOf(place);
      for (const name of names) if (page.entries.get(name) === made) page.remade.add(name);
      note(page, names, making);
      await save(place, page);
    },
    async end(place, outcome) {
      const page = await pageOf(place);
      // Another feed of ours may have made it a moment ago, and said so.
      const found = outcome.found.filter((name) => page.entries.get(name) !== made);
      const ours = found.filter((name) => page.remade.has(name));
      note(page, [...outcome.made, ...ours], made);
      note(
        page,
        found.filter((name) => !page.remade.has(name)),
        null,
      );
      for (const name of [...outcome.made, ...outcome.found]) page.remade.delete(name);
      await save(place, page);
    },
    async forget(place, names) {
      const page = await pageOf(place);
      note(
        page,
        names.filter((name) => page.entries.has(name)),
        null,
      );
      await save(place, page);
    },
  };
}

/** On each ConfigMap of the ledger: the place that it is of, for people. */
const placeAnnotation = 'feeds.k2.dev/ledger-of';

/** Ids and URLs have characters that names may not have. */
const nameOf = (place: string): string => `k2-feed-operator-ledger-${hash('sha256', place).slice(0, 16)}`;

const newPage = (entries: Entries): Page => ({
  entries: new Map(Object.entries(entries)),
  remade: new Set(),
  dirty: new Map(),
  next: null,
  last: Promise.resolve(),
});

function takeBack(page: Page, name: string): void {
  if (page.remade.delete(name)) page.entries.set(name, made);
  else page.entries.delete(name);
}

function inTurn<T>(page: Page, work: () => Promise<T>): Promise<T> {
  const result = page.last.then(work);
  page.last = result.catch(() => {});
  return result;
}

// May not, not valid: nothing that passes by itself.
const refusalStatuses = [400, 403, 413, 422];

/** etcd's own limit comes as a failure of the server. */
const isRefusal = (error: unknown): error is KubeError =>
  error instanceof KubeError && (refusalStatuses.includes(error.status) || /too large/.test(error.message));

/** What the API server will not have in the ledger must not be made: that is a failure of its target, with a reason. */
export async function noted(reason: Reason, work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    throw new TargetError(reason, `the ledger of what the operator made: ${error.message}`, { cause: error });
  }
}
