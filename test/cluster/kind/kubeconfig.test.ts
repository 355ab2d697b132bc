import { describe, expect, test } from 'vitest';
import { reachedAt } from './kubeconfig.ts';

const internal = `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: LS0tLS1CRUdJTi==
    server: https://k2-feed-operator-control-plane:6443
  name: kind-k2-feed-operator
contexts:
- context: {cluster: kind-k2-feed-operator, user: kind-k2-feed-operator}
  name: kind-k2-feed-operator
`;

describe("kind's kubeconfig", () => {
  test('names the node by its address, and the rest stays as it was', () => {
    const expected = internal.replace('k2-feed-operator-control-plane:6443', '10.247.0.2:6443');
    expect(reachedAt(internal, '10.247.0.2')).toBe(expected);
  });

  test('is refused when it names no server', () => {
    const without = internal.replace(/^ *server:.*\n/m, '');
    expect(() => reachedAt(without, '10.247.0.2')).toThrow("kind's kubeconfig names 0 servers");
  });

  test('is refused when it names two, because one of them would be left as it was', () => {
    const two = internal.replace(/^( *server:.*\n)/m, '$1$1');
    expect(() => reachedAt(two, '10.247.0.2')).toThrow("kind's kubeconfig names 2 servers");
  });
});
