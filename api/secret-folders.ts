// Which of a worker's variables names the folder of which Secret, and what is said when a folder is not as it must be.
import { problemOf, type SecretData, type Secrets, type SecretUse, secretKeys } from './secrets.ts';
import { variables, type WorkerConfig } from './worker-config.ts';

export const secretFolders = {
  'kafka-auth': 'kafkaAuthPath',
  'kafka-ca': 'kafkaCaPath',
  'kafka-certificate': 'kafkaCertificatePath',
  'registry-auth': 'registryAuthPath',
  'registry-ca': 'registryCaPath',
} as const satisfies Record<SecretUse, keyof WorkerConfig>;

export type SecretPaths = Pick<WorkerConfig, (typeof secretFolders)[SecretUse]>;

export const secretUses = Object.keys(secretFolders) as SecretUse[];

/**
 * @param readFolder gives the texts of the files that a folder has of these keys, and throws when it cannot
 * @throws Error one line, that names variable, folder and key, and what would be right
 */
export function readSecrets(
  paths: SecretPaths,
  readFolder: (path: string, keys: readonly string[]) => SecretData,
): Secrets {
  const secrets: Partial<Record<SecretUse, SecretData>> = {};
  for (const use of secretUses) {
    const path = paths[secretFolders[use]];
    if (path === undefined) continue;
    const { name, example } = variables[secretFolders[use]];
    const refuse = (problem: string) => new Error(`${name}: '${path}' ${problem}; for example ${name}=${example}`);
    const { required, optional } = secretKeys[use];
    try {
      secrets[use] = readFolder(path, [...required, ...optional]);
    } catch (error) {
      throw refuse(`cannot be read (${error instanceof Error ? error.message : error})`);
    }
    const problem = problemOf(use, secrets[use]);
    if (problem !== null) throw refuse(problem);
  }
  return secrets;
}
