import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readAccess } from '../../worker/access.ts';
import { createAuthority } from '../controller/kube/certificate.ts';

const root = mkdtempSync(join(tmpdir(), 'k2-access-'));
afterAll(() => rmSync(root, { recursive: true }));

function folder(name: string, files: Record<string, string>): string {
  const path = join(root, name);
  mkdirSync(path, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text);
  return path;
}

const none = {
  kafkaAuthPath: undefined,
  kafkaCaPath: undefined,
  kafkaCertificatePath: undefined,
  registryAuthPath: undefined,
  registryCaPath: undefined,
};
const authority = createAuthority('test');

test('without folders nothing is shown', () => {
  const access = readAccess(none, false);
  expect(access.kafka).toEqual({ tls: null, sasl: null });
  expect(access.registry()).toEqual({ ca: null, login: null });
});

test('each connection is made with what the folders have then', () => {
  const kafkaAuthPath = folder('kafka-auth', { username: 'worker', password: 'first', mechanism: 'PLAIN' });
  const kafkaCaPath = folder('kafka-ca', { 'ca.crt': authority.cert });
  const registryAuthPath = folder('registry-auth', { username: 'worker', password: 'first' });
  const { kafka, registry } = readAccess({ ...none, kafkaAuthPath, kafkaCaPath, registryAuthPath }, false);
  expect({ ...kafka.sasl }).toEqual({ mechanism: 'PLAIN', username: 'worker', password: 'first' });
  expect({ ...kafka.tls }).toEqual({ ca: authority.cert });

  const renewed = createAuthority('renewed').cert;
  folder('kafka-auth', { password: 'second' });
  folder('kafka-ca', { 'ca.crt': renewed });
  folder('registry-auth', { password: 'third' });
  expect({ ...kafka.sasl }).toEqual({ mechanism: 'PLAIN', username: 'worker', password: 'second' });
  expect({ ...kafka.tls }).toEqual({ ca: renewed });
  expect(registry().login).toEqual({ username: 'worker', password: 'third' });
});

test('what was right before serves until a folder is right again', () => {
  const kafkaAuthPath = folder('torn', { username: 'worker', password: 'first' });
  const { kafka } = readAccess({ ...none, kafkaAuthPath }, false);
  folder('torn', { password: '' });
  expect(kafka.sasl?.password).toBe('first');
  folder('torn', { password: 'second' });
  expect(kafka.sasl?.password).toBe('second');
});

test.each([
  [
    { kafkaAuthPath: '/nowhere' },
    'K2_KAFKA_AUTH_PATH: \'/nowhere\' has no "username"; its keys must be username, password, and may be mechanism; ' +
      'for example K2_KAFKA_AUTH_PATH=/etc/k2/kafka-auth',
  ],
  [{ kafkaCaPath: folder('no-pem', { 'ca.crt': 'x' }) }, 'has in "ca.crt" no certificate in PEM'],
  [{ kafkaCertificatePath: '/dev/null' }, "K2_KAFKA_TLS_CERTIFICATE_PATH: '/dev/null' cannot be read (ENOTDIR"],
  [{ registryAuthPath: folder('half', { username: 'u' }) }, 'K2_KAFKA_SCHEMA_REGISTRY_AUTH_PATH: '],
  [{ registryCaPath: '/nowhere' }, 'K2_KAFKA_SCHEMA_REGISTRY_TLS_CA_PATH: \'/nowhere\' has no "ca.crt"'],
])('a folder that is not as it must be ends the worker with one line: %j', (paths, line) => {
  const read = () => readAccess({ ...none, ...paths }, false);
  expect(read).toThrow(line);
  expect(read).toThrow(/^[^\n]+$/);
});
