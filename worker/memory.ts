// Watches the memory that the container is allowed: before the kernel ends the process, reading ends.
import type { Producer } from './producer/producer.ts';

const checkMs = 1000;

/** Of what the container is allowed: the rest is for what one second brings. */
const usedShareMax = 0.9;

/** With less waiting, ending the connections would free nothing. */
const waitingBytesMin = 1024 * 1024;

export interface MemoryOptions {
  usedBytes: () => number;
  /** 0: no limit. */
  limitBytes: number;
  buffered: Producer['buffered'];
  /** Called, again and again while it lasts, with one sentence. */
  onShort: (why: string) => void;
}

/** @returns what ends the watching */
export function watchMemory({ usedBytes, limitBytes, buffered, onShort }: MemoryOptions): () => void {
  const timer = setInterval(() => {
    const used = usedBytes();
    if (limitBytes <= 0 || used < limitBytes * usedShareMax || buffered().bytes < waitingBytesMin) return;
    const mebibytes = (bytes: number) => Math.round(bytes / 1024 / 1024);
    onShort(`${mebibytes(used)} of ${mebibytes(limitBytes)} MiB of memory are used`);
  }, checkMs);
  return () => clearInterval(timer);
}
