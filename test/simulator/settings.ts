// The limits and rhythms of an exchange; a test may shorten them while the simulator runs. The defaults are those that
// Binance documents; every other exchange says what differs.
// https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md#general-wss-information

export interface Settings {
  pingIntervalMs: number;
  /** How long a ping may stay unanswered. */
  pongTimeoutMs: number;
  /** How long a connection may last. */
  lifetimeMs: number;
  /** How long a new connection may wait with its first message. */
  firstMessageMs: number;
  /** How long a client may say nothing at all. */
  clientSilenceMs: number;
  /** How long a connection may live on which there is nothing to send. */
  sendSilenceMs: number;
  /** The close code of these three. */
  silenceCode: number;
  /** Between two heartbeats, where the protocol has them. */
  heartbeatMs: number;
  /** Trades that are sent at once on subscribing, where the protocol has a snapshot. */
  snapshotTrades: number;
  /** Messages from the client per second and connection: pings, pongs and requests count. */
  messagesPerSecondMax: number;
  streamsPerConnectionMax: number;
  /** Connection attempts per address within `connectWindowMs`. */
  connectsMax: number;
  connectWindowMs: number;
  /** Request weight per minute and address. */
  weightPerMinuteMax: number;
  /** Answers 429 within one minute after which the next one is a ban, 418. */
  refusalsBeforeBan: number;
  /**
   * Bytes waiting for a slow client before it is disconnected: bounds our memory, the exchange's own bound is unknown.
   */
  bufferBytesMax: number;
  /**
   * 'live': `{"error":{"code","msg"},"id"}` as clients meet it; 'documented': `{"code","msg","id"}` as the
   * documentation's table has it.
   */
  errorForm: 'live' | 'documented';
}

/** Timers of Node go no further, milliseconds: for an exchange that has no such rule. */
export const never = 2 ** 31 - 1;

export const defaultSettings: Settings = {
  pingIntervalMs: 20_000,
  pongTimeoutMs: 60_000,
  lifetimeMs: 24 * 3_600_000,
  firstMessageMs: never,
  clientSilenceMs: never,
  sendSilenceMs: never,
  silenceCode: 1008,
  heartbeatMs: 1000,
  snapshotTrades: 0,
  messagesPerSecondMax: 5,
  streamsPerConnectionMax: 1024,
  connectsMax: 300,
  connectWindowMs: 300_000,
  weightPerMinuteMax: 6000,
  refusalsBeforeBan: 10,
  bufferBytesMax: 64 * 1024 * 1024,
  errorForm: 'live',
};
