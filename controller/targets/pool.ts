// One client per address and Secrets, opened on first use and shared; one that failed, or whose Secrets were rotated,
// is closed and opened anew.

export interface Pool<C> {
  /**
   * @param version of what the client was opened with: a client of another one is closed
   * @throws what `open` throws; the next call tries again
   */
  get(key: string, version: string, open: () => Promise<C>): Promise<C>;
  drop(key: string): void;
  close(): Promise<void>;
}

interface Entry<C> {
  version: string;
  client: Promise<C>;
}

// Most installations have one or two brokers; feeds may name others, and those of feeds that are gone must not pile up.
const clientsMax = 32;

export function createPool<C>(close: (client: C) => Promise<void>): Pool<C> {
  const entries = new Map<string, Entry<C>>();

  /** A client that is still connecting is closed when it is there; how that ends does not matter to anybody. */
  const discard = (client: Promise<C>) => client.then(close).catch(() => {});

  function drop(key: string): void {
    const entry = entries.get(key);
    entries.delete(key);
    if (entry !== undefined) void discard(entry.client);
  }

  return {
    get(key, version, open) {
      if (entries.get(key)?.version !== version) drop(key);
      const entry = entries.get(key) ?? { version, client: open() };
      // Moved to the end: the first key is the least recently used.
      entries.delete(key);
      entries.set(key, entry);
      entry.client.catch(() => entries.get(key) === entry && entries.delete(key));
      const [oldest] = entries.keys();
      if (entries.size > clientsMax && oldest !== undefined) drop(oldest);
      return entry.client;
    },
    drop,
    async close() {
      await Promise.all([...entries.values()].map(({ client }) => discard(client)));
      entries.clear();
    },
  };
}
