// The real broker and registry that the tests run against: `make test` starts them.
import { required } from '../../services/required.ts';

export const bootstrapServers = required('K2_TEST_BOOTSTRAP_SERVERS').split(',');
export const schemaRegistryUrl = required('K2_TEST_SCHEMA_REGISTRY_URL');
