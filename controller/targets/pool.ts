// One client per address, opened on first use and shared; a client that failed is dropped and opened anew.

export interface Pool<C> {
  /** @throws what `open` throws; the next call tries again */
  get(key: string): Promise<C>;
  drop(key: string): void;
  close(): Promise<void>;
}

export interface PoolOptions<C> {
  open: (key: string) => Promise<C>;
  close: (client: C) => Promise<void>;
}

// Most installations have one or two brokers; feeds may name others, and those of feeds that are gone must not pile up.
const clientsMax = 32;

export function createPool<C>({ open, close }: PoolOptions<C>): Pool<C> {
  const clients = new Map<string, Promise<C>>();

  /** A client that is still connecting is closed when it is there; how that ends does not matter to anybody. */
  const discard = (client: Promise<C>) => client.then(close).catch(() => {});

  function drop(key: string): void {
    const client = clients.get(key);
    clients.delete(key);
    if (client !== undefined) void discard(client);
  }

  return {
    get(key) {
      const client = clients.get(key) ?? open(key);
      // Moved to the end: the first key is the least recently used.
      clients.delete(key);
      clients.set(key, client);
      client.catch(() => clients.get(key) === client && clients.delete(key));
      const [oldest] = clients.keys();
      if (clients.size > clientsMax && oldest !== undefined) drop(oldest);
      return client;
    },
    drop,
    async close() {
      await Promise.all([...clients.values()].map(discard));
      clients.clear();
    },
  };
}
