// Java's default partitioner for keys: murmur2 without its sign bit. Kafka's clients in other languages and its tools
// find a key's partition by it. https://github.com/apache/kafka/blob/trunk/clients/src/main/java/org/apache/kafka/common/utils/Utils.java

const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;

const mix = (k: number) => {
  const product = Math.imul(k, multiplier);
  return Math.imul(product ^ (product >>> 24), multiplier);
};

/** @returns 0 to 2^31 - 1; the partition is this modulo the number of partitions */
export function partitionHash(key: Buffer): number {
  let hash = seed ^ key.length;
  const whole = key.length & ~3;
  for (let at = 0; at < whole; at += 4) hash = Math.imul(hash, multiplier) ^ mix(key.readInt32LE(at));
  const rest = key.length - whole;
  if (rest > 0) hash = Math.imul(hash ^ key.readUIntLE(whole, rest), multiplier);
  hash = Math.imul(hash ^ (hash >>> 13), multiplier);
  return (hash ^ (hash >>> 15)) & 0x7fffffff;
}
