// A Secret as Kubernetes mounts it: a folder with one file for each key.
// https://kubernetes.io/docs/concepts/configuration/secret/#using-secrets-as-files-from-a-pod
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Texts of the files that are there, by key; other files are not looked at.
 * @throws Error of the file system, when a file is there and cannot be read
 */
export function readSecretFolder(path: string, keys: readonly string[]): Record<string, string> {
  const data: Record<string, string> = {};
  for (const key of keys) {
    try {
      data[key] = readFileSync(join(path, key), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return data;
}
