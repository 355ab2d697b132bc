// What a worker shows brokers and registry: read once at start, so that a mistake ends it there, and again whenever a
// connection is made, so that a rotated Secret needs no restart. https://kubernetes.io/docs/concepts/configuration/secret/#mounted-secrets-are-updated-automatically
import { readSecrets, type SecretPaths } from '../api/secret-folders.ts';
import { type KafkaAccess, kafkaAccessOf, type RegistryAccess, registryAccessOf } from '../api/secrets.ts';
import { readSecretFolder } from '../runtime/secret-folder.ts';

export interface Access {
  kafka: KafkaAccess;
  /** As the files are now. */
  registry: () => RegistryAccess;
}

/** @throws Error one line, that names variable, folder and key, and what would be right */
export function readAccess(paths: SecretPaths, isTls: boolean): Access {
  const read = () => {
    const secrets = readSecrets(paths, readSecretFolder);
    return { kafka: kafkaAccessOf(secrets, isTls), registry: registryAccessOf(secrets) };
  };
  let latest = read();
  /** What was right before serves until the files are right again: the folder may be between two versions. */
  const current = () => {
    try {
      latest = read();
    } catch {
      // The connection that is made with what was there before tells soon enough.
    }
    return latest;
  };
  return { kafka: refreshed(latest.kafka, () => current().kafka), registry: () => current().registry };
}

/** The client reads these fields each time it connects, and for SASL each time a session ends. */
function refreshed({ tls, sasl }: KafkaAccess, current: () => KafkaAccess): KafkaAccess {
  return {
    tls: tls && {
      get ca() {
        return current().tls?.ca;
      },
      get cert() {
        return current().tls?.cert;
      },
      get key() {
        return current().tls?.key;
      },
    },
    sasl: sasl && {
      get mechanism() {
        return current().sasl?.mechanism ?? sasl.mechanism;
      },
      get username() {
        return current().sasl?.username ?? sasl.username;
      },
      get password() {
        return current().sasl?.password ?? sasl.password;
      },
    },
  };
}
