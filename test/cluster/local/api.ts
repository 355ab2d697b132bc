// Looks at the local API server, as its administrator.
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join } from 'node:path';
import { apiPort, nodeAddress } from './addresses.ts';
import type { Layout } from './layout.ts';

/** Far more than a healthy API server takes; a hanging one must not hold the caller up. */
const answerMs = 2_000;

export interface NodeObject {
  status?: { conditions?: { type: string; status: string }[] };
}

/** The body of the answer. @throws Error unless it is 200 */
export async function apiGet(layout: Layout, path: string): Promise<string> {
  const [ca, cert, key] = await Promise.all(
    ['ca.crt', 'admin.crt', 'admin.key'].map((name) => readFile(join(layout.certificates, name))),
  );
  return new Promise((resolve, reject) => {
    const options = { host: nodeAddress, port: apiPort, path, ca, cert, key, agent: false, timeout: answerMs };
    const call = request(options, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => {
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`${path} was answered ${response.statusCode}`));
      });
    });
    call.on('timeout', () => call.destroy(new Error(`${path} was not answered in ${answerMs} ms`)));
    call.on('error', reject);
    call.end();
  });
}
