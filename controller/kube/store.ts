// Values by key, and by what an index function says of them, so that those of one index key are found without a look at
// all. The idea is client-go's indexer: https://pkg.go.dev/k8s.io/client-go/tools/cache#Indexer

export interface Store<T> {
  get(key: string): T | null;
  list(): T[];
  keys(): Iterable<string>;
  /** Those for which `indexBy` names this index key, in the order they came. */
  byIndex(indexKey: string): T[];
  /** Returns what was there before. @param value null: takes it out */
  set(key: string, value: T | null): T | null;
  readonly size: number;
}

/** @param indexBy must say the same of the same value each time */
export function createStore<T>(indexBy: (value: T) => readonly string[] = () => []): Store<T> {
  const values = new Map<string, T>();
  const groups = new Map<string, Map<string, T>>();

  function leave(indexKey: string, key: string): void {
    const group = groups.get(indexKey);
    group?.delete(key);
    if (group?.size === 0) groups.delete(indexKey);
  }

  return {
    get: (key) => values.get(key) ?? null,
    list: () => [...values.values()],
    keys: () => values.keys(),
    byIndex: (indexKey) => [...(groups.get(indexKey)?.values() ?? [])],
    set(key, value) {
      const previous = values.get(key) ?? null;
      const [from, to] = [previous, value].map((it) => (it === null ? [] : indexBy(it)));
      for (const indexKey of from ?? []) if (!to?.includes(indexKey)) leave(indexKey, key);
      if (value === null) {
        values.delete(key);
        return previous;
      }
      values.set(key, value);
      for (const indexKey of to ?? []) groups.set(indexKey, (groups.get(indexKey) ?? new Map()).set(key, value));
      return previous;
    },
    get size() {
      return values.size;
    },
  };
}
