// What the API server's audit log says of the controller: what it read, what it wrote, what it was refused.
import type { AuditEvent, ControlPlane } from '../services/control-plane.ts';

/** `create deployments.apps`, `patch exchangefeeds.feeds.k2.dev/status`: the words of a role. */
export type Use = string;

export interface Audited {
  /** How often each was asked, a watch once. */
  uses: ReadonlyMap<Use, number>;
  /** Those that change something, without those of leases. */
  writes: ReadonlyMap<Use, number>;
  /** Renewals of the leader's lease. */
  leases: number;
  /** Answered 403. */
  refused: ReadonlyMap<Use, number>;
}

const reading = ['get', 'list', 'watch'];

/** @param from of auditEnd() */
export async function audit(plane: ControlPlane, user: string, from: number): Promise<Audited> {
  const [uses, writes, refused] = [new Map<Use, number>(), new Map<Use, number>(), new Map<Use, number>()];
  let leases = 0;
  for await (const event of plane.audited(from)) {
    if (event.user.username !== user || !isCounted(event)) continue;
    const use = useOf(event);
    count(uses, use);
    // Server-side apply of what is not there asks for both rights, and is logged as one of them.
    if (event.verb === 'patch' && event.responseStatus?.code === 201) count(uses, use.replace('patch', 'create'));
    if (event.responseStatus?.code === 403) count(refused, use);
    else if (event.objectRef?.resource === 'leases') leases += reading.includes(event.verb) ? 0 : 1;
    else if (!reading.includes(event.verb)) count(writes, use);
  }
  return { uses, writes, leases, refused };
}

/** A watch counts when it begins, anything else when it ends. */
const isCounted = ({ stage, verb }: AuditEvent) =>
  stage === (verb === 'watch' ? 'ResponseStarted' : 'ResponseComplete');

function useOf({ verb, requestURI, objectRef }: AuditEvent): Use {
  if (objectRef === undefined) return `${verb} ${requestURI}`;
  return useWords(
    verb,
    objectRef.apiGroup ?? '',
    [objectRef.resource, objectRef.subresource].filter(Boolean).join('/'),
  );
}

/** @param resource with its subresource, as roles name it: `exchangefeeds/status` */
export function useWords(verb: string, apiGroup: string, resource: string): Use {
  const [name = '', ...subresource] = resource.split('/');
  return `${verb} ${[[name, apiGroup].filter(Boolean).join('.'), ...subresource].join('/')}`;
}

function count(counts: Map<Use, number>, use: Use): void {
  counts.set(use, (counts.get(use) ?? 0) + 1);
}
