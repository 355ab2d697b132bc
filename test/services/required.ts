// What a test with a real broker and registry must be told of them.

/** @throws Error in one sentence when the variable is not set */
export function required(name: 'K2_TEST_BOOTSTRAP_SERVERS' | 'K2_TEST_SCHEMA_REGISTRY_URL'): string {
  const value = process.env[name];
  if (value) return value;
  throw new Error(`${name}: is not set; these tests need a real broker and registry, as make test starts them`);
}
