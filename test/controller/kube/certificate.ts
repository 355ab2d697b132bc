// Makes certificates for 127.0.0.1, self-signed or of an authority, so that tests of TLS need neither a tool nor a key
// in the repository.
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

// ASN.1 in DER: a tag, a length, the content. RFC 5280 section 4.1 gives the order of the parts.
function der(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = Buffer.from(body.length.toString(16).padStart(body.length > 255 ? 4 : 2, '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body]);
}
const sequence = (...content: Uint8Array[]) => der(0x30, ...content);
const objectId = (hex: string) => der(0x06, Buffer.from(hex, 'hex'));
const bitString = (bytes: Uint8Array) => der(0x03, Buffer.from([0]), bytes);
const time = (date: Date) => der(0x17, Buffer.from(`${date.toISOString().replace(/^..|[-:T]|\.\d+/g, '')}`));

const ecdsaWithSha256 = sequence(objectId('2a8648ce3d040302'));
const commonName = '550403';
const subjectAltName = '551d11';
const basicConstraints = '551d13';

/** PEM of a private key and its certificate. */
export interface Pair {
  key: string;
  cert: string;
}

interface Subject {
  commonName: string;
  isAuthority: boolean;
  until: Date;
}

interface Issuer {
  commonName: string;
  privateKey: KeyObject;
}

const nameOf = (text: string) => sequence(der(0x31, sequence(objectId(commonName), der(0x0c, Buffer.from(text)))));
const begin = new Date('2020-01-01T00:00:00Z');
const end = new Date('2049-12-31T23:59:59Z');

/** @param issuer absent: it is its own */
function certify({ commonName: name, isAuthority, until }: Subject, issuer?: Issuer): Pair & Issuer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = issuer ?? { commonName: name, privateKey };
  const address = der(0x87, Buffer.from([127, 0, 0, 1]));
  const extension = (id: string, value: Buffer) => sequence(objectId(id), der(0x04, value));
  const authority = isAuthority ? sequence(der(0x01, Buffer.from([0xff]))) : sequence();
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([0x01]), randomBytes(8)])),
    ecdsaWithSha256,
    nameOf(signer.commonName),
    sequence(time(begin), time(until)),
    nameOf(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(extension(subjectAltName, sequence(address)), extension(basicConstraints, authority))),
  );
  const certificate = sequence(body, ecdsaWithSha256, bitString(sign('sha256', body, signer.privateKey)));
  const base64 = certificate.toString('base64').replace(/.{64}/g, '$&\n');
  return {
    commonName: name,
    privateKey,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
  };
}

/** A fresh P-256 key and its certificate, which is its own authority; valid 2020 to 2049. */
export function selfSigned(): Pair {
  const { key, cert } = certify({ commonName: 'stub', isAuthority: true, until: end });
  return { key, cert };
}

export interface Authority {
  /** PEM. */
  cert: string;
  /** A certificate of the authority, for whom it names. @param until absent: 2049 */
  issue(commonName: string, until?: Date): Pair;
}

export function createAuthority(commonName: string): Authority {
  const own = certify({ commonName, isAuthority: true, until: end });
  return {
    cert: own.cert,
    issue(name, until = end) {
      const { key, cert } = certify({ commonName: name, isAuthority: false, until }, own);
      return { key, cert };
    },
  };
}
