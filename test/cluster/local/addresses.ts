// The fixed addresses and names of the local cluster. They belong to the machine, so only one such cluster fits on it.

/** Every interface that the bed makes on the machine begins with k2. */
export const hostInterface = 'k2host';
export const nodeInterface = 'k2node';
export const bridge = 'k2br0';

/** The two ends of the only way between the machine and the cluster. */
export const hostAddress = '10.245.0.1';
export const gatewayAddress = '10.245.0.2';

export const podNetwork = '10.244.0.0/16';
export const nodePodNetwork = '10.244.0.0/24';
/** Also the address of the bridge, which is every pod's gateway. */
export const nodeAddress = '10.244.0.1';
export const firstPodAddress = '10.244.0.10';
export const serviceNetwork = '10.96.0.0/16';
export const apiServiceAddress = '10.96.0.1';
export const dnsServiceAddress = '10.96.0.10';
export const apiPort = 6443;
/** Where kube-proxy and CoreDNS tell on the node's address that they are ready. */
export const proxyHealthPort = 10256;
export const dnsReadyPort = 8181;

export const nodeName = 'k2-node';
/** Below each hierarchy of /sys/fs/cgroup: the pods' cgroups, and nobody else's. */
export const cgroup = 'k2-bed';
