// The real broker and registry that the tests run against: `make test` starts them.
const required = (name: string): string => {
  const value = process.env[name];
  if (!value)
    throw new Error(`${name}: is not set; these tests need a real broker and registry, as make test starts them`);
  return value;
};

export const bootstrapServers = required('K2_TEST_BOOTSTRAP_SERVERS').split(',');
export const schemaRegistryUrl = required('K2_TEST_SCHEMA_REGISTRY_URL');
