import { describe, expect, test } from 'vitest';
import { chooseCluster, type Machine } from './cluster.ts';

const everything: Machine = { linux: true, root: true, namespaces: true, docker: true, kind: true };
const nothing: Machine = { linux: false, root: false, namespaces: false, docker: false, kind: false };

describe('the choice of a cluster', () => {
  test.each<[string, string | undefined, Machine, 'local' | 'kind' | null]>([
    ['kind where Docker runs and kind is installed', undefined, everything, 'kind'],
    ['an empty K2_CLUSTER counts as unset', '', everything, 'kind'],
    ['local where kind is not installed', undefined, { ...everything, kind: false }, 'local'],
    ['local where no Docker daemon runs', undefined, { ...everything, docker: false }, 'local'],
    ['local when asked for', 'local', everything, 'local'],
    ['kind when asked for, even if all for it is still to be made', 'kind', { ...everything, docker: false }, 'kind'],
    ['kind without root, through Docker', undefined, { ...everything, root: false }, 'kind'],
    ['none without root and Docker', undefined, { ...everything, root: false, docker: false }, null],
    ['none where namespaces are forbidden', undefined, { ...everything, docker: false, namespaces: false }, null],
    ['none for local without root, even if kind could run', 'local', { ...everything, root: false }, null],
    ['none on a machine with nothing', undefined, nothing, null],
  ])('%s', (_title, wanted, machine, expected) => {
    expect(chooseCluster(wanted, machine).cluster).toBe(expected);
  });

  test('says what is missing', () => {
    const { why } = chooseCluster(undefined, { ...nothing, linux: true });
    expect(why).toBe(
      'No Kubernetes can run here: the local cluster needs root, ' +
        'and a kind cluster needs a running Docker daemon and kind on PATH.',
    );
    expect(chooseCluster('local', { ...everything, namespaces: false }).why).toContain('namespaces (unshare)');
  });

  test('refuses a cluster that there is not, naming the value and what would be right', () => {
    expect(() => chooseCluster('minikube', everything)).toThrow(
      'K2_CLUSTER is "minikube": it must be local or kind, or unset',
    );
  });
});
