// Ready nodes and pods do not prove that Services work: this does, by a request through one.
import type { Step } from '../step.ts';
import { until } from '../until.ts';
import { type Kind, nodeName } from './kind-cli.ts';

/** The control plane's pods are up within 15 s on 2 cores; several times that beside other work. */
const limit = '--timeout=120s';
/** kube-proxy writes its rules within a second, the first ServiceAccount comes within 5. */
const answerMs = 30_000;

/** The figures of the cluster's DNS, over HTTP with what bash has: a node has no curl. */
const request = `
  control="kubectl --kubeconfig /etc/kubernetes/admin.conf --namespace kube-system"
  address=$($control get service kube-dns -o jsonpath={.spec.clusterIP})
  exec 3<>"/dev/tcp/$address/9153"
  printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3
  grep --quiet coredns_build_info <&3`;

/**
 * CoreDNS is ready once its pod has read the API through the Service `kubernetes`: so pods reach Services. The request
 * shows that the node reaches a Service with two pods.
 */
export async function servicesAnswer(kind: Kind, step: Step, kubectl: readonly string[]): Promise<void> {
  const system = [...kubectl, '--namespace', 'kube-system'];
  await step.run([...system, 'rollout', 'status', 'daemonset/kube-proxy', limit]);
  await step.run([...system, 'rollout', 'status', 'deployment/coredns', limit]);
  await until('an answer through a Service', answerMs, () =>
    step.run(['docker', 'exec', nodeName, 'timeout', '2', 'bash', '-c', request], { env: kind.env }),
  );
  // Without it no pod can be made in the namespace.
  await until('the default ServiceAccount', answerMs, () => step.run([...kubectl, 'get', 'serviceaccount', 'default']));
}
