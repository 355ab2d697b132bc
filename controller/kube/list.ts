// A whole collection, page by page.
import { isGone } from './errors.ts';
import { type KubeObject, keyOf } from './object.ts';
import type { Query, Transport } from './transport.ts';

export interface Collection<T> {
  /** By keyOf. */
  objects: Map<string, T>;
  /** Where a watch that continues this list begins. */
  resourceVersion: string;
}

interface List<T> {
  apiVersion: string;
  /** The kind of the items and `List`. */
  kind: string;
  metadata: { resourceVersion: string; continue?: string };
  /** Built-in kinds come without apiVersion and kind. Null: an empty list of metadata. */
  items: (Omit<T, 'apiVersion' | 'kind'> & Partial<KubeObject>)[] | null;
}

/**
 * Asks for the metadata of each object, and nothing else of it: what is in a Secret does not leave the API server, but
 * for what `kubectl apply` noted in an annotation. https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches
 */
export const metadataOnly = {
  list: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
  watch: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
} as const;

// As client-go.
const pageObjects = 500;
// A million objects, more than one etcd holds: only a server that sends the same page again and again gets there.
const pagesMax = 2_000;

/**
 * Pages are of one moment in time. When the server has forgotten that moment half-way (410), the list starts over, in
 * one answer, which cannot be cut in two.
 */
export async function listAll<T extends KubeObject>(
  transport: Transport,
  path: string,
  query: Query,
  signal: AbortSignal,
  accept?: string,
): Promise<Collection<T>> {
  try {
    return await listPages(transport, path, { ...query, limit: pageObjects }, signal, accept);
  } catch (error) {
    if (!isGone(error)) throw error;
    return listPages(transport, path, query, signal, accept);
  }
}

async function listPages<T extends KubeObject>(
  transport: Transport,
  path: string,
  query: Query,
  signal: AbortSignal,
  accept?: string,
): Promise<Collection<T>> {
  const objects = new Map<string, T>();
  let next: string | undefined;
  for (let pages = 0; pages < pagesMax; pages++) {
    const options = { query: { ...query, continue: next }, signal, ...(accept && { accept }) };
    const page = await transport.request<List<T>>('GET', path, options);
    const type = { apiVersion: page.apiVersion, kind: page.kind.replace(/List$/, '') };
    for (const item of page.items ?? []) {
      const object = { ...type, ...item } as unknown as T;
      objects.set(keyOf(object), object);
    }
    next = page.metadata.continue || undefined;
    if (next === undefined) return { objects, resourceVersion: page.metadata.resourceVersion };
  }
  throw new Error(`GET ${path}: the list has more than ${pagesMax} pages`);
}
