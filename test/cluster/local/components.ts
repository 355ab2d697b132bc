// The command line of each component. What holds for any control plane takes its addresses, and is used by
// test/services/control-plane.ts as well.
import { join } from 'node:path';
import { apiPort, nodeAddress, nodeName, podNetwork, serviceNetwork } from './addresses.ts';
import type { Layout } from './layout.ts';

export const componentNames = [
  'containerd',
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'coredns',
] as const;
export type Component = (typeof componentNames)[number];

/** Where a control plane listens and keeps its data. */
export interface ControlPlaneAddresses {
  /** Base URLs on which etcd serves the API server, and would serve its peers. */
  etcdClients: string;
  etcdPeers: string;
  etcdData: string;
  apiAddress: string;
  apiPort: number;
  /** The path of a certificate, key or kubeconfig by its name. */
  pki: (name: string) => string;
}

export function componentCommands(layout: Layout, kube: string, coredns: string): Record<Component, string[]> {
  const pki = (name: string) => join(layout.certificates, name);
  const addresses = {
    etcdClients: 'http://127.0.0.1:2379',
    etcdPeers: 'http://127.0.0.1:2380',
    etcdData: join(layout.data, 'etcd'),
    apiAddress: nodeAddress,
    apiPort,
    pki,
  };
  const configuration = (name: string) => join(layout.configuration, name);
  return {
    containerd: ['containerd', '--config', configuration('containerd.toml')],
    etcd: [kube, 'etcd', ...etcdFlags(addresses)],
    'kube-apiserver': [kube, 'kube-apiserver', ...apiserverFlags(addresses)],
    'kube-controller-manager': [
      kube,
      'kube-controller-manager',
      ...controllerManagerFlags(pki),
      '--bind-address=127.0.0.1',
      `--cluster-cidr=${podNetwork}`,
      '--allocate-node-cidrs=false',
    ],
    'kube-scheduler': [
      kube,
      'kube-scheduler',
      ...kubeconfigFlags(pki, 'scheduler'),
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
    ],
    kubelet: [
      kube,
      'kubelet',
      `--config=${configuration('kubelet.yaml')}`,
      `--kubeconfig=${pki('kubelet.kubeconfig')}`,
      `--hostname-override=${nodeName}`,
      `--node-ip=${nodeAddress}`,
      `--root-dir=${layout.data}/kubelet`,
      `--cert-dir=${layout.data}/kubelet/pki`,
    ],
    'kube-proxy': [kube, 'kube-proxy', `--config=${configuration('kube-proxy.yaml')}`],
    coredns: [coredns, '-conf', configuration('Corefile')],
  };
}

/** By these a component both calls the API and lets callers be checked by it. */
function kubeconfigFlags(pki: ControlPlaneAddresses['pki'], name: string): string[] {
  return ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'].map(
    (flag) => `--${flag}=${pki(`${name}.kubeconfig`)}`,
  );
}

export function controllerManagerFlags(pki: ControlPlaneAddresses['pki']): string[] {
  return [
    ...kubeconfigFlags(pki, 'controller-manager'),
    `--service-account-private-key-file=${pki('sa.key')}`,
    `--root-ca-file=${pki('ca.crt')}`,
    `--cluster-signing-cert-file=${pki('ca.crt')}`,
    `--cluster-signing-key-file=${pki('ca.key')}`,
    '--use-service-account-credentials',
    // Each controller asks for a token in turn: with the default of 20/s the first pod could start 5 s later.
    '--kube-api-qps=200',
    '--kube-api-burst=400',
    '--leader-elect=false',
    `--service-cluster-ip-range=${serviceNetwork}`,
  ];
}

/** Without fsync: the data lives no longer than the test, and a disk shared with a build would slow every write. */
export function etcdFlags({ etcdClients, etcdPeers, etcdData }: ControlPlaneAddresses): string[] {
  return [
    '--name=k2',
    `--data-dir=${etcdData}`,
    `--listen-client-urls=${etcdClients}`,
    `--advertise-client-urls=${etcdClients}`,
    `--listen-peer-urls=${etcdPeers}`,
    `--initial-advertise-peer-urls=${etcdPeers}`,
    `--initial-cluster=k2=${etcdPeers}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
}

export function apiserverFlags({ etcdClients, apiAddress, apiPort: port, pki }: ControlPlaneAddresses): string[] {
  return [
    `--etcd-servers=${etcdClients}`,
    `--bind-address=${apiAddress}`,
    `--advertise-address=${apiAddress}`,
    `--secure-port=${port}`,
    `--tls-cert-file=${pki('apiserver.crt')}`,
    `--tls-private-key-file=${pki('apiserver.key')}`,
    `--client-ca-file=${pki('ca.crt')}`,
    `--service-cluster-ip-range=${serviceNetwork}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${pki('sa.pub')}`,
    `--service-account-signing-key-file=${pki('sa.key')}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
    `--kubelet-certificate-authority=${pki('ca.crt')}`,
    `--kubelet-client-certificate=${pki('apiserver-kubelet-client.crt')}`,
    `--kubelet-client-key=${pki('apiserver-kubelet-client.key')}`,
    '--kubelet-preferred-address-types=InternalIP',
    // Without these the controller manager logs an error every few seconds: it looks for the authority they name.
    `--requestheader-client-ca-file=${pki('ca.crt')}`,
    '--requestheader-allowed-names=front-proxy-client',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    `--proxy-client-cert-file=${pki('front-proxy-client.crt')}`,
    `--proxy-client-key-file=${pki('front-proxy-client.key')}`,
  ];
}
