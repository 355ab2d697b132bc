// How workers get their Secrets: as files that only they can read, never as variables, which any child process, crash
// report or /proc shows. Pure.
import { secretFolders } from '../api/secret-folders.ts';
import { variables } from '../api/worker-config.ts';
import type { Access } from './access.ts';

/** On the pods: rotated Secrets make other pods. */
export const secretsAnnotation = 'feeds.k2.dev/secrets';

const root = '/etc/k2';
// Of the owner, who is root, and the group, which is the worker's.
const fileMode = 0o440;

/** Parts of a pod; empty where the feed names no Secret, so that its pods are as before there were any. */
export function secretParts({ kafka, mounts, hash }: Access) {
  const isTlsAlone = kafka.tls !== null && !mounts.some(({ use }) => use === 'kafka-ca' || use === 'kafka-certificate');
  const folders = mounts.map(({ use }) => ({ name: variables[secretFolders[use]].name, value: `${root}/${use}` }));
  const env = [...folders, ...(isTlsAlone ? [{ name: variables.kafkaTls.name, value: 'true' }] : [])];
  if (mounts.length === 0) return { env, annotations: {}, pod: {}, container: {}, securityContext: {} };
  return {
    env,
    annotations: { [secretsAnnotation]: hash },
    pod: {
      volumes: mounts.map(({ use, secretName, keys }) => ({
        name: use,
        secret: {
          secretName,
          defaultMode: fileMode,
          optional: false,
          items: keys.map((key) => ({ key, path: key })),
        },
      })),
    },
    container: { volumeMounts: mounts.map(({ use }) => ({ name: use, mountPath: `${root}/${use}`, readOnly: true })) },
    securityContext: { fsGroup: 1000 },
  };
}
