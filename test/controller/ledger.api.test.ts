// The ledger on a real API server: many writers of one ConfigMap, and how much fits into it.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTransport, type Transport } from '../../controller/kube/transport.ts';
import { createLedger, type Ledger, noted } from '../../controller/ledger.ts';
import { ControlPlane } from '../services/control-plane.ts';

let plane: ControlPlane;
let transport: Transport;

beforeAll(async () => {
  plane = await ControlPlane.start();
  transport = createTransport(plane.kubeConfig, { userAgent: 'test' });
});

afterAll(async () => {
  await transport?.close();
  await plane?.close();
});

const open = (): Ledger => createLedger({ transport, namespace: 'default', fieldManager: 'test' });

test('two processes that note a hundred topics each lose none of them', async () => {
  const names = (of: string) => Array.from({ length: 100 }, (_, index) => `${of}-${index}`);
  const [one, two] = [open(), open()];
  await Promise.all([
    ...names('one').map((name) => one.begin('shared', [name])),
    ...names('two').map((name) => two.begin('shared', [name])),
  ]);
  await Promise.all([
    one.end('shared', { made: names('one'), found: [] }),
    two.end('shared', { made: names('two'), found: [] }),
  ]);
  expect((await open().made('shared')).size).toBe(200);
  await one.forget('shared', names('one'));
  expect([...(await open().made('shared'))].sort()).toEqual(names('two').sort());
});

test('ten thousand topics of usual names fit, and what does not fit is refused before it is made', async () => {
  const ledger = open();
  const usual = Array.from({ length: 10_000 }, (_, index) => `market.crypto.trades.exchange-${index}.raw`);
  for (let from = 0; from < usual.length; from += 1_000) await ledger.begin('large', usual.slice(from, from + 1_000));
  await ledger.end('large', { made: usual, found: [] });
  expect((await open().made('large')).size).toBe(10_000);
  const long = Array.from({ length: 6_000 }, (_, index) => `${index}`.padEnd(249, 'x'));
  await expect(noted('TopicRefused', ledger.begin('large', long))).rejects.toMatchObject({
    reason: 'TopicRefused',
    message: expect.stringMatching(/^the ledger of what the operator made: .*too large/),
  });
});
