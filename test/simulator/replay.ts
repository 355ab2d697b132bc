// Plays a recording once: at its own pace, faster, or as fast as the slowest receiver takes it.
import type { Clock } from './clock.ts';
import type { Connection } from './connection.ts';
import { ControlError } from './control-error.ts';
import type { ReplayState } from './control-types.ts';
import { parseRecording, type RecordedFrame } from './recording.ts';

export interface Receivers {
  /** Null for what is not a trade. */
  symbol: string | null;
  id: number | null;
  /** With the bytes that the connection's form of the protocol has for the frame. */
  connections: { connection: Connection; bytes: Buffer }[];
}

/** The exchange whose recordings are played. */
export interface Stage {
  /** Who is subscribed to a recorded frame, and what it is. */
  receivers(frame: RecordedFrame): Receivers;
  connections(): Connection[];
}

/** Frames between two looks at the sockets: few enough to keep answering, enough to fill a packet. */
const batchFrames = 256;
/** Waiting bytes at which flat replay waits for a connection. */
const bufferedBytesMax = 1024 * 1024;

export class Replay {
  #stage: Stage;
  #clock: Clock;
  #frames: RecordedFrame[] = [];
  #state: ReplayState = { phase: 'none', frames: 0, framesPlayed: 0, sent: 0, unsubscribed: 0 };
  /** Changes when a recording is loaded or dropped; a run that sees it changed ends. */
  #generation = 0;

  constructor(stage: Stage, clock: Clock) {
    this.#stage = stage;
    this.#clock = clock;
  }

  load(body: Buffer): ReplayState {
    if (this.#state.phase === 'running') throw new ControlError(409, 'recording: a replay is running; reset ends it');
    this.#frames = parseRecording(body);
    this.#generation++;
    this.#state = { phase: 'loaded', frames: this.#frames.length, framesPlayed: 0, sent: 0, unsubscribed: 0 };
    return this.state();
  }

  start(speed: number | 'flat'): void {
    const { phase } = this.#state;
    if (phase === 'none') throw new ControlError(409, 'replay: no recording is loaded; upload one first');
    if (phase !== 'loaded') throw new ControlError(409, `replay: this recording is ${phase} already; upload it again`);
    this.#state.phase = 'running';
    void this.#run(speed, this.#generation);
  }

  state(): ReplayState {
    return { ...this.#state };
  }

  reset(): void {
    this.#generation++;
    this.#frames = [];
    this.#state = { phase: 'none', frames: 0, framesPlayed: 0, sent: 0, unsubscribed: 0 };
  }

  async #run(speed: number | 'flat', generation: number): Promise<void> {
    const isFlat = speed === 'flat';
    const pause = isFlat ? this.#flatOut() : this.#paced(speed);
    for (const frame of this.#frames) {
      await pause(frame);
      if (generation !== this.#generation) return;
      this.#play(frame, isFlat);
    }
    for (const connection of this.#stage.connections()) connection.flush();
    this.#state.phase = 'done';
  }

  #play(frame: RecordedFrame, isFlat: boolean): void {
    const { symbol, id, connections } = this.#stage.receivers(frame);
    if (connections.length === 0) this.#state.unsubscribed++;
    for (const { connection, bytes } of connections) {
      if (isFlat) connection.hold();
      if (connection.send(bytes, symbol, id)) this.#state.sent++;
    }
    this.#state.framesPlayed++;
  }

  /** Waits until a frame is due: as long after the first as it was received after it, divided by the speed. */
  #paced(speed: number): (frame: RecordedFrame) => Promise<void> | undefined {
    const startUs = this.#clock.nowUs();
    const firstS = this.#frames.find((frame) => frame.receivedS !== null)?.receivedS ?? 0;
    return (frame) => {
      if (frame.receivedS === null) return;
      const dueUs = startUs + ((frame.receivedS - firstS) * 1e6) / speed;
      const waitMs = (dueUs - this.#clock.nowUs()) / 1000;
      if (waitMs < 1) return;
      return new Promise((resolve) => this.#clock.after(waitMs, resolve));
    };
  }

  #flatOut(): () => Promise<void> | undefined {
    let played = 0;
    return () => (++played % batchFrames === 0 ? this.#breathe() : undefined);
  }

  /** Lets the sockets write, and waits for those that are behind. */
  async #breathe(): Promise<void> {
    const connections = this.#stage.connections();
    for (const connection of connections) connection.flush();
    await new Promise<void>((resolve) => setImmediate(resolve));
    const behind = connections.filter((connection) => connection.bytesBuffered > bufferedBytesMax);
    await Promise.all(behind.map((connection) => connection.drained()));
  }
}
