// Where the test bed keeps things: nothing of it lies in the checkout, so a fresh clone finds what another one built.
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Folders {
  /** This checkout. */
  checkout: string;
  /** What was built or downloaded and can be built again: K2_CACHE. */
  cache: string;
  /** What the running bed writes, its record (bed.json) and its logs: K2_STATE. */
  state: string;
}

const name = 'k2-feed-operator';

export function bedFolders(env: Record<string, string | undefined>): Folders {
  return {
    checkout: dirname(dirname(dirname(fileURLToPath(import.meta.url)))),
    cache: env.K2_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), name),
    state: env.K2_STATE || join(env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), name),
  };
}
