// The ledger over an API server that holds ConfigMaps in memory, for tests whose subject is the broker or the registry.
import { KubeError } from '../../controller/kube/errors.ts';
import type { RequestOptions } from '../../controller/kube/transport.ts';
import { createLedger, type Ledger } from '../../controller/ledger.ts';

type ConfigMap = Record<string, string>;

export interface LedgerInMemory extends Ledger {
  /** Names and what is noted of them, by place and all together. */
  entries(): ConfigMap;
}

export function ledgerInMemory(): LedgerInMemory {
  const stored = new Map<string, ConfigMap>();
  const notFound = (path: string) => new KubeError(404, 'NotFound', `${path}: not found`);

  async function request<T>(method: string, path: string, { body }: RequestOptions = {}): Promise<T> {
    const { metadata, data = {} } = (body ?? {}) as {
      metadata?: { name: string };
      data?: Record<string, string | null>;
    };
    const key = method === 'POST' ? `${path}/${metadata?.name}` : path;
    if (method === 'POST') stored.set(key, {});
    const present = stored.get(key);
    if (present === undefined) throw notFound(path);
    for (const [name, entry] of Object.entries(data)) {
      if (entry === null) delete present[name];
      else present[name] = entry;
    }
    return { data: { ...present } } as T;
  }

  const watch = () => {
    throw new Error('the ledger watches nothing');
  };
  const transport = { request, watch, close: async () => {} };
  const ledger = createLedger({ transport, namespace: 'k2-system', fieldManager: 'test' });
  return { ...ledger, entries: () => Object.assign({}, ...stored.values()) };
}
