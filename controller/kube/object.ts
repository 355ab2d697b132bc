// What every Kubernetes object has in common, its key, and where it lives on the API server.

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/ ; what the server fills in is optional. */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  generation?: number;
  /** Opaque: compare for equality only. */
  resourceVersion?: string;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  finalizers?: string[];
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
}

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

export interface Resource {
  /** Empty for the core group. */
  group: string;
  version: string;
  /** As in URLs: lower case, plural. */
  plural: string;
}

export interface ResourceLocation extends Resource {
  /** Absent: cluster-scoped, or a collection over all namespaces. */
  namespace?: string | undefined;
  /** Absent: the collection. */
  name?: string | undefined;
  subresource?: string | undefined;
}

/** `namespace/name`, or `name` for a cluster-scoped object. */
export function keyOf(object: { metadata: { name: string; namespace?: string } }): string {
  const { name, namespace } = object.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The inverse of keyOf. */
export function splitKey(key: string): { namespace?: string; name: string } {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris */
export function resourcePath({ group, version, plural, namespace, name, subresource }: ResourceLocation): string {
  const segments = group === '' ? ['api', version] : ['apis', group, version];
  if (namespace !== undefined) segments.push('namespaces', namespace);
  segments.push(plural);
  if (name !== undefined) segments.push(name);
  if (subresource !== undefined) segments.push(subresource);
  return `/${segments.map(encodeURIComponent).join('/')}`;
}
