// Cuts a stream of bytes into the messages of Kafka's protocol, each with its four bytes of size before it.

const sizeBytes = 4;

export class Frames {
  #kept: Buffer[] = [];
  #keptBytes = 0;

  /** @returns the messages that are whole now */
  add(data: Buffer): Buffer[] {
    this.#kept.push(data);
    this.#keptBytes += data.length;
    const messages: Buffer[] = [];
    for (let bytes = this.#nextBytes(); bytes !== null; bytes = this.#nextBytes()) {
      const all = Buffer.concat(this.#kept);
      messages.push(all.subarray(0, bytes));
      this.#kept = [all.subarray(bytes)];
      this.#keptBytes = all.length - bytes;
    }
    return messages;
  }

  /** Of the next message; null while it is not whole. */
  #nextBytes(): number | null {
    if (this.#keptBytes < sizeBytes) return null;
    const head = this.#kept[0] ?? Buffer.alloc(0);
    if (head.length < sizeBytes) this.#kept = [Buffer.concat(this.#kept)];
    const bytes = sizeBytes + (this.#kept[0] ?? head).readInt32BE(0);
    return this.#keptBytes < bytes ? null : bytes;
  }
}
