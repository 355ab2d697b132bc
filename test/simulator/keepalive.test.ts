import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from './manual-clock.ts';
import { type Simulator, startSimulator } from './simulator.ts';
import { TestClient } from './test-client.ts';

const hourMs = 3_600_000;
let clock: ManualClock;
let simulator: Simulator;
beforeEach(async () => {
  clock = new ManualClock();
  simulator = await startSimulator({ host: '127.0.0.1', tradesPerSecond: 0, clock });
});
afterEach(() => simulator.close());

const connect = (options = {}) => TestClient.connect(`${simulator.webSocketUrl}/stream`, options);
const connection = async () => (await simulator.state()).connections[0];
const request = { method: 'LIST_SUBSCRIPTIONS', id: 1 };

describe('a connection', () => {
  test('is pinged every 20 seconds, with a payload', async () => {
    const client = await connect();
    clock.advance(19_999);
    clock.advance(1);
    await client.pinged(1);
    clock.advance(20_000);
    const [first, second] = await client.pinged(2);
    expect(first).toMatch(/^\d{13}$/);
    expect(Number(second) - Number(first)).toBe(20_000);
  });

  test('is closed when no pong came for a minute', async () => {
    const client = await connect({ autoPong: false });
    clock.advance(20_000);
    await client.pinged(1);
    clock.advance(59_999);
    expect((await connection())?.closed).toBeNull();
    clock.advance(1);
    expect(await client.closed).toEqual({ code: 1008, reason: 'Pong timeout' });
  });

  test('is closed in spite of pongs that nobody asked for', async () => {
    const client = await connect({ autoPong: false });
    clock.advance(20_000);
    await client.pinged(1);
    client.webSocket.pong('');
    await client.ask(request);
    clock.advance(60_000);
    expect((await client.closed).reason).toBe('Pong timeout');
  });

  test('stays when pongs carry the payload', async () => {
    const client = await connect({ autoPong: false });
    for (let count = 1; count <= 10; count++) {
      clock.advance(20_000);
      const pings = await client.pinged(count);
      client.webSocket.pong(pings.at(-1));
      // The answer comes after the pong was read.
      await client.ask(request);
    }
    expect(await connection()).toMatchObject({ closed: null, pingsSent: 10, pongsReceived: 10 });
  });

  test('ends after 24 hours', async () => {
    await simulator.setSettings({ pingIntervalMs: 100 * hourMs });
    const client = await connect();
    clock.advance(24 * hourMs - 1);
    await client.ask(request);
    clock.advance(1);
    expect((await client.closed).code).toBe(1001);
  });

  test('gets a life that is shortened while it lasts', async () => {
    const client = await connect();
    clock.advance(5000);
    await simulator.setSettings({ lifetimeMs: 5000 });
    clock.advance(0);
    expect((await client.closed).code).toBe(1001);
  });
});

describe('the limit of messages', () => {
  test('closes a connection at the sixth within a second', async () => {
    const client = await connect();
    for (let count = 1; count <= 5; count++) await client.ask(request);
    client.send(request);
    expect(await client.closed).toEqual({ code: 1008, reason: 'Too many requests' });
  });

  test('counts pings and pongs', async () => {
    const client = await connect();
    for (let count = 1; count <= 3; count++) client.webSocket.ping();
    for (let count = 1; count <= 3; count++) client.webSocket.pong();
    expect((await client.closed).code).toBe(1008);
  });

  test('lets five a second pass for ever', async () => {
    const client = await connect();
    for (let second = 0; second < 10; second++) {
      for (let count = 1; count <= 5; count++) await client.ask(request);
      clock.advance(1000);
    }
    expect(await connection()).toMatchObject({ closed: null, messagesReceived: 50 });
  });
});

describe('the limit of connection attempts', () => {
  test('refuses the one after 300 within five minutes, and lets in again afterwards', async () => {
    await simulator.setSettings({ connectsMax: 3 });
    for (let count = 1; count <= 3; count++) await connect();
    await expect(connect()).rejects.toThrow('429');
    clock.advance(300_000);
    await connect();
  });
});
