// Follows the cursor topic from its start, and keeps what it says of one feed.
import type { View } from './cursor-records.ts';

export interface CursorLogOptions {
  bootstrapServers: string[];
  clientId: string;
  topic: string;
  /** `<namespace>/<name>` */
  feed: string;
  /** Milliseconds from any fixed point, never backwards. */
  monotonicMs: () => number;
  /** A number in [0, 1). */
  random: () => number;
  /** Why the topic cannot be read now, one sentence; null: it is read. */
  onProblem: (problem: string | null) => void;
  /** A record that cannot be read was skipped; `why` is one sentence. */
  onUnreadable: (why: string) => void;
}

export class CursorLog {
  /** Follows from now on, and keeps trying when the broker is away. */
  constructor(options: CursorLogOptions) {
    void options;
  }

  /** What has been read so far. It goes on changing. */
  view(): View {
    throw new Error('view');
  }

  /** Resolves once everything is read that stood in the topic when this was called. @throws the signal's reason */
  catchUp(signal: AbortSignal): Promise<void> {
    throw new Error(String(signal));
  }

  /** Resolves when an owner record was read since the last call, after so many milliseconds, or with the signal. */
  changed(waitMsMax: number, signal: AbortSignal): Promise<void> {
    throw new Error(String([waitMsMax, signal]));
  }

  close(): Promise<void> {
    throw new Error('close');
  }
}
