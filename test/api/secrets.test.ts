import { describe, expect, test } from 'vitest';
import { kafkaAccessOf, problemOf, registryAccessOf, type SecretData, type SecretUse } from '../../api/secrets.ts';
import { createAuthority, selfSigned } from '../controller/kube/certificate.ts';

const authority = createAuthority('test');
const { key, cert } = authority.issue('worker');

describe('a Secret', () => {
  const whole: [SecretUse, SecretData][] = [
    ['kafka-auth', { username: 'u', password: 'p' }],
    ['kafka-auth', { username: 'u', password: 'p', mechanism: 'scram-sha-256\n' }],
    ['kafka-ca', { 'ca.crt': authority.cert }],
    ['kafka-ca', { 'ca.crt': `${authority.cert}${selfSigned().cert}` }],
    ['kafka-certificate', { 'tls.crt': cert, 'tls.key': key }],
    ['registry-auth', { username: 'u', password: 'p', other: '' }],
    ['registry-ca', { 'ca.crt': authority.cert }],
  ];
  test.each(whole)('for %s that has what it must has no problem', (use, data) => {
    expect(problemOf(use, data)).toBeNull();
  });

  const lacking: [SecretUse, SecretData, string][] = [
    ['kafka-auth', { username: 'u' }, 'has no "password"; its keys must be username, password, and may be mechanism'],
    ['kafka-auth', { username: '\n', password: 'p' }, 'has no "username"'],
    [
      'kafka-auth',
      { username: 'u', password: 'p', mechanism: 'GSSAPI' },
      'has a "mechanism" that is not one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512',
    ],
    ['kafka-ca', { 'tls.crt': authority.cert }, 'has no "ca.crt"; its keys must be ca.crt'],
    ['registry-ca', { 'ca.crt': 'MIIB' }, 'has in "ca.crt" no certificate in PEM'],
    ['kafka-certificate', { 'tls.crt': cert }, 'has no "tls.key"; its keys must be tls.crt, tls.key'],
    [
      'kafka-certificate',
      { 'tls.crt': cert, 'tls.key': authority.issue('other').key },
      'has in "tls.key" no private key in PEM, without a passphrase, that belongs to "tls.crt"',
    ],
  ];
  test.each(lacking)('for %s that has %o is told by its key', (use, data, problem) => {
    expect(problemOf(use, data)).toContain(problem);
  });

  test('is never quoted', () => {
    const secret = 'do-not-tell';
    const told = [
      problemOf('kafka-auth', { username: secret }),
      problemOf('kafka-auth', { username: 'u', password: secret, mechanism: secret }),
      problemOf('kafka-ca', { 'ca.crt': secret }),
      problemOf('kafka-certificate', { 'tls.crt': cert, 'tls.key': secret }),
    ];
    expect(told.every((problem) => problem !== null && !problem.includes(secret))).toBe(true);
  });
});

describe('what connections show', () => {
  test('is nothing without Secrets', () => {
    expect(kafkaAccessOf({}, false)).toEqual({ tls: null, sasl: null });
    expect(registryAccessOf({})).toEqual({ ca: null, login: null });
  });

  test('is TLS by the system authorities when only TLS is asked for', () => {
    expect(kafkaAccessOf({}, true)).toEqual({ tls: {}, sasl: null });
  });

  test('is TLS, too, when there is a certificate', () => {
    const secrets = { 'kafka-ca': { 'ca.crt': 'CA' }, 'kafka-certificate': { 'tls.crt': 'CRT', 'tls.key': 'KEY' } };
    expect(kafkaAccessOf(secrets, false).tls).toEqual({ ca: 'CA', cert: 'CRT', key: 'KEY' });
  });

  test('is SCRAM-SHA-512 where no mechanism is given, and a line end belongs to nothing', () => {
    const auth = { username: 'u\n', password: 'p q \r\n' };
    const login = { username: 'u', password: 'p q ' };
    expect(kafkaAccessOf({ 'kafka-auth': auth }, false).sasl).toEqual({ mechanism: 'SCRAM-SHA-512', ...login });
    const plain = { ...auth, mechanism: 'plain' };
    expect(kafkaAccessOf({ 'kafka-auth': plain }, false).sasl?.mechanism).toBe('PLAIN');
    expect(registryAccessOf({ 'registry-auth': auth, 'registry-ca': { 'ca.crt': 'CA' } })).toEqual({ ca: 'CA', login });
  });
});
