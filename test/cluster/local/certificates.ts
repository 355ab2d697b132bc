// The cluster's certificate authority, its certificates and kubeconfigs, made with openssl
// (https://kubernetes.io/docs/setup/best-practices/certificates/ lists what Kubernetes wants).

import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../command.ts';
import { apiPort, apiServiceAddress, nodeAddress, nodeName } from './addresses.ts';

interface Certificate {
  file: string;
  subject: string;
  usage: 'serverAuth' | 'clientAuth';
  names?: string;
}

/** A test cluster does not live longer. */
const days = '3650';
const apiNames = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local'];
const kubeconfigUsers = ['admin', 'kubelet', 'controller-manager', 'scheduler', 'proxy', 'dns'];

const certificates: Certificate[] = [
  {
    file: 'apiserver',
    subject: '/CN=kube-apiserver',
    usage: 'serverAuth',
    names: `${apiNames.map((n) => `DNS:${n}`)},DNS:localhost,IP:127.0.0.1,IP:${apiServiceAddress},IP:${nodeAddress}`,
  },
  {
    file: 'kubelet-server',
    subject: `/O=system:nodes/CN=system:node:${nodeName}`,
    usage: 'serverAuth',
    names: `DNS:${nodeName},IP:${nodeAddress}`,
  },
  { file: 'kubelet', subject: `/O=system:nodes/CN=system:node:${nodeName}`, usage: 'clientAuth' },
  { file: 'apiserver-kubelet-client', subject: '/O=system:masters/CN=kube-apiserver-kubelet', usage: 'clientAuth' },
  { file: 'front-proxy-client', subject: '/CN=front-proxy-client', usage: 'clientAuth' },
  { file: 'admin', subject: '/O=system:masters/CN=admin', usage: 'clientAuth' },
  { file: 'controller-manager', subject: '/CN=system:kube-controller-manager', usage: 'clientAuth' },
  { file: 'scheduler', subject: '/CN=system:kube-scheduler', usage: 'clientAuth' },
  { file: 'proxy', subject: '/CN=system:kube-proxy', usage: 'clientAuth' },
  { file: 'dns', subject: '/O=system:masters/CN=coredns', usage: 'clientAuth' },
];

/**
 * Makes the folder with all of them, unless it is there already; it is never there half made.
 * @param server the API server's base URL, for the kubeconfigs
 */
export async function makeCertificates(folder: string, server = `https://${nodeAddress}:${apiPort}`): Promise<void> {
  if (existsSync(folder)) return;
  const unfinished = `${folder}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true, mode: 0o700 });
  const openssl = (...words: string[]) => run(['openssl', ...words], { cwd: unfinished });
  await key(openssl, 'ca');
  const usage = 'keyUsage=critical,keyCertSign,cRLSign,digitalSignature';
  const subject = ['-subj', '/CN=k2-bed', '-days', days];
  await openssl('req', '-x509', '-new', '-key', 'ca.key', ...subject, '-out', 'ca.crt', '-addext', usage);
  await Promise.all([...certificates.map((c) => sign(openssl, unfinished, c)), serviceAccountKey(openssl)]);
  for (const user of kubeconfigUsers) await writeKubeconfig(unfinished, user, server);
  await rename(unfinished, folder);
}

type Openssl = (...words: string[]) => Promise<string>;

async function key(openssl: Openssl, name: string): Promise<void> {
  await openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`);
}

async function serviceAccountKey(openssl: Openssl): Promise<void> {
  await openssl('genrsa', '-out', 'sa.key', '2048');
  await openssl('rsa', '-in', 'sa.key', '-pubout', '-out', 'sa.pub');
}

async function sign(openssl: Openssl, folder: string, { file, subject, usage, names }: Certificate): Promise<void> {
  await key(openssl, file);
  const extensions = [
    'basicConstraints=CA:FALSE',
    'keyUsage=critical,digitalSignature,keyEncipherment',
    `extendedKeyUsage=${usage}`,
    ...(names ? [`subjectAltName=${names}`] : []),
  ];
  await writeFile(join(folder, `${file}.extensions`), extensions.join('\n'));
  await openssl('req', '-new', '-key', `${file}.key`, '-subj', subject, '-out', `${file}.request`);
  // The serial numbers are random: a file that counts them would be shared by those that run at the same time.
  const serial = `0x${crypto.randomUUID().replaceAll('-', '')}`;
  const authority = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-set_serial', serial];
  const files = ['-in', `${file}.request`, '-extfile', `${file}.extensions`, '-out', `${file}.crt`];
  await openssl('x509', '-req', ...authority, ...files, '-days', days);
}

async function writeKubeconfig(folder: string, user: string, server: string): Promise<void> {
  const base64 = async (file: string) => (await readFile(join(folder, file))).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'k2', cluster: { server, 'certificate-authority-data': await base64('ca.crt') } }],
    users: [
      {
        name: user,
        user: {
          'client-certificate-data': await base64(`${user}.crt`),
          'client-key-data': await base64(`${user}.key`),
        },
      },
    ],
    contexts: [{ name: 'k2', context: { cluster: 'k2', user } }],
    'current-context': 'k2',
  };
  // JSON is YAML, too.
  const path = join(folder, `${user}.kubeconfig`);
  await writeFile(path, JSON.stringify(config, null, 2));
  await chmod(path, 0o600);
}
