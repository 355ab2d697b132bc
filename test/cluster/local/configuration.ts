// The components' configuration files. What differs from the usual is there because the bed must run as root without
// CAP_SYS_RESOURCE, on cgroup v1 or v2, without systemd, and without a way out of the machine.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  bridge,
  cgroup,
  dnsReadyPort,
  dnsServiceAddress,
  firstPodAddress,
  nodeAddress,
  nodeName,
  nodePodNetwork,
  podNetwork,
  proxyHealthPort,
} from './addresses.ts';
import type { Layout } from './layout.ts';

export const pauseImage = 'k2-feed-operator/pause:dev';

export function writeConfiguration(layout: Layout): void {
  const files = {
    'containerd.toml': containerd(layout),
    'cni/10-bridge.conflist': JSON.stringify(podNetworkConfiguration(layout)),
    'kubelet.yaml': JSON.stringify(kubelet(layout)),
    'kube-proxy.yaml': JSON.stringify(kubeProxy(layout)),
    Corefile: corefile(layout),
    'dns.yaml': JSON.stringify(dnsObjects()),
  };
  for (const [name, content] of Object.entries(files)) {
    const path = join(layout.configuration, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}

/** `restrict_oom_score_adj`: without CAP_SYS_RESOURCE runc cannot lower the score, and no container would start. */
function containerd(layout: Layout): string {
  return `version = 2
root = "${layout.images}"
state = "${layout.run}/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
]
[grpc]
  address = "${layout.containerdSocket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${layout.configuration}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        Root = "${layout.run}/runc"
`;
}

/** The pods' own addresses are seen everywhere: there is no masquerade, and no route out. */
function podNetworkConfiguration(layout: Layout): object {
  const range = { subnet: nodePodNetwork, rangeStart: firstPodAddress, gateway: nodeAddress };
  const ipam = {
    type: 'host-local',
    dataDir: `${layout.data}/cni`,
    ranges: [[range]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  return {
    cniVersion: '0.4.0',
    name: 'k2',
    plugins: [
      { type: 'bridge', bridge, isGateway: true, ipMasq: false, hairpinMode: true, ipam },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
}

/** https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ */
function kubelet(layout: Layout): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: nodeAddress,
    healthzBindAddress: '127.0.0.1',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${layout.certificates}/ca.crt` },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: `${layout.certificates}/kubelet-server.crt`,
    tlsPrivateKeyFile: `${layout.certificates}/kubelet-server.key`,
    containerRuntimeEndpoint: `unix://${layout.containerdSocket}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cgroup}`,
    cgroupsPerQOS: true,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    // A full disk or little memory on a developer's machine must not evict what is under test.
    evictionHard: {
      'memory.available': '0%',
      'nodefs.available': '0%',
      'nodefs.inodesFree': '0%',
      'imagefs.available': '0%',
    },
    // No image may be collected: none could be pulled again.
    imageGCHighThresholdPercent: 100,
    podLogsDir: `${layout.data}/pod-logs`,
    volumePluginDir: `${layout.data}/volume-plugins`,
    resolvConf: '',
    clusterDNS: [dnsServiceAddress],
    clusterDomain: 'cluster.local',
    makeIPTablesUtilChains: false,
    oomScoreAdj: 0,
    serializeImagePulls: false,
  };
}

function kubeProxy(layout: Layout): object {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    clusterCIDR: podNetwork,
    hostnameOverride: nodeName,
    bindAddress: '0.0.0.0',
    healthzBindAddress: `${nodeAddress}:${proxyHealthPort}`,
    metricsBindAddress: '127.0.0.1:10249',
    nodePortAddresses: [podNetwork],
    clientConnection: { kubeconfig: `${layout.certificates}/proxy.kubeconfig` },
    // The default of 1 s would be most of the time between a ready pod and a Service that answers.
    nftables: { minSyncPeriod: '100ms' },
    oomScoreAdj: 0,
    // Zero: leave the machine's limits alone, which are not the namespace's to change.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
}

/** No `forward`: a name outside the cluster is refused, so that a test cannot reach a real exchange by accident. */
function corefile(layout: Layout): string {
  return `.:53 {
  bind ${nodeAddress}
  errors
  ready ${nodeAddress}:${dnsReadyPort}
  cache 5
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig ${layout.certificates}/dns.kubeconfig
    pods insecure
    ttl 5
    fallthrough in-addr.arpa ip6.arpa
  }
}
`;
}

/** CoreDNS runs beside the kubelet, not in a pod: a Service without selector, and its endpoint written by hand. */
function dnsObjects(): object {
  const ports = [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'dns-tcp', port: 53, protocol: 'TCP' },
  ];
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kube-dns', namespace: 'kube-system' },
    spec: { clusterIP: dnsServiceAddress, ports },
  };
  const endpoints = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'kube-dns-1', namespace: 'kube-system', labels: { 'kubernetes.io/service-name': 'kube-dns' } },
    addressType: 'IPv4',
    ports,
    endpoints: [{ addresses: [nodeAddress] }],
  };
  return { apiVersion: 'v1', kind: 'List', items: [service, endpoints] };
}
