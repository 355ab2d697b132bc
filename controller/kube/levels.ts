// Keys that wait in two lines: normal goes first, and low gets its turn. The idea is controller-runtime's:
// https://pkg.go.dev/sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue

export type Level = 'normal' | 'low';

export interface Waiting {
  level: Level;
  /** Since when it waits, on the queue's clock. */
  addedMs: number;
}

export interface Levels {
  get(key: string): Waiting | undefined;
  /** At the end of its level's line; a key that waits there already keeps its place. */
  set(key: string, waiting: Waiting): void;
  /** Takes out the key whose turn it is; undefined: none waits. */
  take(): [key: string, waiting: Waiting] | undefined;
  readonly size: number;
}

// One take of four is of the low level while both wait, so a flood of changes slows the rest down, and never stops it:
// the low key at place n is taken after 4 n takes at the latest.
const lowEvery = 4;

export function createLevels(): Levels {
  const lines: Record<Level, Map<string, Waiting>> = { normal: new Map(), low: new Map() };
  /** Normal keys taken in a row while a low one waited. */
  let passedOver = 0;

  function nextLevel(): Level {
    if (lines.low.size === 0) return 'normal';
    return lines.normal.size === 0 || passedOver >= lowEvery - 1 ? 'low' : 'normal';
  }

  return {
    get: (key) => lines.normal.get(key) ?? lines.low.get(key),
    set(key, waiting) {
      lines[waiting.level === 'normal' ? 'low' : 'normal'].delete(key);
      lines[waiting.level].set(key, waiting);
    },
    take() {
      const level = nextLevel();
      const [next] = lines[level];
      if (next === undefined) return undefined;
      passedOver = level === 'normal' && lines.low.size > 0 ? passedOver + 1 : 0;
      lines[level].delete(next[0]);
      return next;
    },
    get size() {
      return lines.normal.size + lines.low.size;
    },
  };
}
