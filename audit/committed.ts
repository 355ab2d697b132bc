// Which batches of a Fetch answer a reader of committed records may see. Pure.

/** As a Fetch answer tells it; there may be several of one producer. */
export interface AbortedTransaction {
  producerId: bigint;
  firstOffset: number;
}

interface Batch {
  lastOffset: number;
  producerId: bigint;
  isTransactional: boolean;
  isControl: boolean;
}

/**
 * Batches with data that were written outside of transactions or by committed ones, as the Java client finds them: from
 * the first offset of an aborted transaction on, what its producer wrote does not count, until a control batch of that
 * producer ends it. https://kafka.apache.org/documentation/#controlbatch
 * @param batches of one answer, in order, up to the last stable offset
 * @param aborted all aborted transactions that reach into them
 */
export function committed<T extends Batch>(batches: readonly T[], aborted: readonly AbortedTransaction[]): T[] {
  const begins = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  const aborting = new Set<bigint>();
  let next = 0;
  return batches.filter((batch) => {
    for (let begin = begins[next]; begin && begin.firstOffset <= batch.lastOffset; begin = begins[++next]) {
      aborting.add(begin.producerId);
    }
    if (batch.isControl) aborting.delete(batch.producerId);
    return !batch.isControl && !(batch.isTransactional && aborting.has(batch.producerId));
  });
}
