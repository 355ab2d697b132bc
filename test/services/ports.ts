// Ports that nobody listens on.

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';

/** A port of this address, chosen by the kernel; free until someone else takes it. */
export async function freePort(address: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, address, () => resolve());
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
