// Writes WebSocket text frames by ourselves, many in one write: ws makes two writes of each.
import type { Duplex } from 'node:stream';

/** Held frames are written when this many bytes are full. */
const writeBytes = 32 * 1024;

export class FrameWriter {
  #socket: Duplex;
  #holding = false;
  #held = Buffer.alloc(0);
  #heldBytes = 0;

  constructor(socket: Duplex) {
    this.#socket = socket;
  }

  get bytesHeld(): number {
    return this.#heldBytes;
  }

  hold(): void {
    this.#holding = true;
  }

  flush(): void {
    this.#holding = false;
    if (this.#heldBytes === 0) return;
    this.#socket.write(this.#held.subarray(0, this.#heldBytes));
    // The socket may still read what was written, so later frames go behind it.
    this.#held = this.#held.subarray(this.#heldBytes);
    this.#heldBytes = 0;
  }

  /**
   * One text frame (RFC 6455, 5.2: unmasked, unfragmented). Without compression ws keeps no queue of its own, so its
   * pings and closes go between whole frames.
   */
  write(bytes: Buffer): void {
    const size = bytes.length + 10;
    if (this.#heldBytes + size > this.#held.length) {
      const holding = this.#holding;
      this.flush();
      this.#holding = holding;
      this.#held = Buffer.allocUnsafe(Math.max(writeBytes, size));
    }
    let at = this.#heldBytes;
    at = this.#held.writeUInt8(0x81, at);
    if (bytes.length < 126) {
      at = this.#held.writeUInt8(bytes.length, at);
    } else if (bytes.length < 65_536) {
      at = this.#held.writeUInt8(126, at);
      at = this.#held.writeUInt16BE(bytes.length, at);
    } else {
      at = this.#held.writeUInt8(127, at);
      at = this.#held.writeBigUInt64BE(BigInt(bytes.length), at);
    }
    this.#heldBytes = at + bytes.copy(this.#held, at);
    if (!this.#holding) this.flush();
  }
}
