// kind's kubeconfigs name the API server by the node container's name or by a port of the Docker daemon's namespace:
// this machine knows neither.

/**
 * @param internal what `kind get kubeconfig --internal` prints
 * @param address of the node container; its certificate covers it
 * @throws Error when there is not exactly one server in it
 */
export function reachedAt(internal: string, address: string): string {
  const server = /^(\s*server: https:\/\/)[^\s:]+(:\d+)\s*$/gm;
  const found = [...internal.matchAll(server)].length;
  if (found !== 1) throw new Error(`kind's kubeconfig names ${found} servers of the form https://host:port, not one`);
  return internal.replace(server, `$1${address}$2`);
}
