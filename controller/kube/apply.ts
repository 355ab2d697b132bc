// Writes to the API server: server-side apply of an object or its status, deletion, and finalizers.
// Bodies are plain JSON of what the caller gave: no model of the API drops a field it does not know.
import { isNotFound } from './errors.ts';
import { type KubeObject, type Resource, resourcePath } from './object.ts';
import type { Transport } from './transport.ts';

export interface ApplyOptions {
  /** Who owns the fields that are sent: stable for ever, at most 128 characters. */
  fieldManager: string;
  /** Take fields over from other managers instead of failing with 409; true when absent, as for most controllers. */
  force?: boolean;
  signal?: AbortSignal;
}

// JSON is YAML. https://kubernetes.io/docs/reference/using-api/server-side-apply/
const applyPatch = 'application/apply-patch+yaml';

/**
 * Creates the object or changes it: fields that this manager sent before and does not send now are removed.
 * @returns the object as the server stored it
 * @throws KubeError 409 when `metadata.uid` or `metadata.resourceVersion` is given and not the present one
 */
export function apply<T extends KubeObject>(
  transport: Transport,
  resource: Resource,
  object: T,
  options: ApplyOptions,
): Promise<T> {
  return send(transport, pathOf(resource, object), object, options);
}

/**
 * The same for the status subresource: `object` needs `apiVersion`, `kind`, `metadata.name`, `metadata.namespace`
 * and `status`.
 * @throws KubeError 404 when there is no such object: a status never creates one
 */
export function applyStatus<T extends KubeObject>(
  transport: Transport,
  resource: Resource,
  object: T,
  options: ApplyOptions,
): Promise<T> {
  return send(transport, pathOf(resource, object, 'status'), object, options);
}

export interface DeleteOptions {
  /** What becomes of the objects it owns; Background when absent. */
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  /** 409 when the object is another one by now (uid), or was changed (resourceVersion). */
  preconditions?: { uid?: string; resourceVersion?: string };
  signal?: AbortSignal;
}

/**
 * Resolves to false when there was nothing to delete. The object may still be there afterwards, waiting for its
 * finalizers or for what it owns.
 */
export async function deleteObject(
  transport: Transport,
  resource: Resource,
  object: NameOnly,
  options: DeleteOptions = {},
): Promise<boolean> {
  const { propagationPolicy = 'Background', preconditions, signal } = options;
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy, ...(preconditions && { preconditions }) };
  try {
    await transport.request('DELETE', pathOf(resource, object), { body, ...(signal && { signal }) });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/**
 * Adds or removes one finalizer of `object`, as it was last read; no request when that is how it is already.
 * A JSON merge patch under the object's resourceVersion, not server-side apply: apply would create the object anew
 * when the last finalizer is gone and the object with it; the patch fails with 404 then, and with 409 after any change.
 * @throws KubeError 404, 409
 */
export async function setFinalizer<T extends KubeObject>(
  transport: Transport,
  resource: Resource,
  object: T,
  finalizer: string,
  wanted: boolean,
  options: { fieldManager: string; signal?: AbortSignal },
): Promise<T> {
  const present = object.metadata.finalizers ?? [];
  if (present.includes(finalizer) === wanted) return object;
  const finalizers = wanted ? [...present, finalizer] : present.filter((it) => it !== finalizer);
  const { uid, resourceVersion } = object.metadata;
  return transport.request('PATCH', pathOf(resource, object), {
    query: { fieldManager: options.fieldManager },
    contentType: 'application/merge-patch+json',
    body: { metadata: { finalizers, uid, resourceVersion } },
    ...(options.signal && { signal: options.signal }),
  });
}

type NameOnly = { metadata: { name: string; namespace?: string } };

function pathOf(resource: Resource, { metadata: { name, namespace } }: NameOnly, subresource?: string): string {
  return resourcePath({ ...resource, name, namespace, subresource });
}

function send<T>(transport: Transport, path: string, body: T, { fieldManager, force = true, signal }: ApplyOptions) {
  return transport.request<T>('PATCH', path, {
    query: { fieldManager, force },
    contentType: applyPatch,
    body,
    ...(signal && { signal }),
  });
}
