// Where the local cluster's files are, below the bed's state folder.
import { join } from 'node:path';

export interface Layout {
  /** Kept over `down`: making it again takes long, and nothing of a run is in it. */
  certificates: string;
  /** containerd's images, kept as well. */
  images: string;
  configuration: string;
  logs: string;
  /** Sockets, pids and commands of this run. */
  run: string;
  /** What the components write, emptied at each start. */
  data: string;
  containerdSocket: string;
}

export function localLayout(state: string): Layout {
  const root = join(state, 'local');
  return {
    certificates: join(root, 'certificates'),
    images: join(root, 'containerd'),
    configuration: join(root, 'configuration'),
    logs: join(state, 'log'),
    run: join(root, 'run'),
    data: join(root, 'data'),
    containerdSocket: join(root, 'run', 'containerd.sock'),
  };
}
