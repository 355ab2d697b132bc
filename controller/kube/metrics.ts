// The machinery's metrics, under the names that client-go and controller-runtime use, so that existing dashboards work.
import { Counter, Gauge, type Registry } from 'prom-client';

export interface KubeMetrics {
  /** `code` is the HTTP status, or `<error>` when there was no answer. */
  requests: Counter<'code' | 'method'>;
  queueDepth: Gauge<'name'>;
  queueAdds: Counter<'name'>;
  queueRetries: Counter<'name'>;
  reconciles: Counter<'controller' | 'result'>;
  lists: Counter<'name'>;
  watches: Counter<'name'>;
}

/** @throws Error when the registry already has them: make them once per process */
export function createKubeMetrics(registry: Registry): KubeMetrics {
  const registers = [registry];
  return {
    requests: new Counter({
      name: 'rest_client_requests_total',
      help: 'Requests to the Kubernetes API, every try counted, by status code and method.',
      labelNames: ['code', 'method'],
      registers,
    }),
    queueDepth: new Gauge({
      name: 'workqueue_depth',
      help: 'Keys that wait for a worker.',
      labelNames: ['name'],
      registers,
    }),
    queueAdds: new Counter({
      name: 'workqueue_adds_total',
      help: 'Keys added to the queue; adding a key that already waits is not counted.',
      labelNames: ['name'],
      registers,
    }),
    queueRetries: new Counter({
      name: 'workqueue_retries_total',
      help: 'Keys put back with a backoff.',
      labelNames: ['name'],
      registers,
    }),
    reconciles: new Counter({
      name: 'controller_runtime_reconcile_total',
      help: 'Reconciles by result: success, requeue_after, requeue (a conflict), error.',
      labelNames: ['controller', 'result'],
      registers,
    }),
    lists: new Counter({
      name: 'reflector_lists_total',
      help: 'Complete lists of a collection: one at the start, then one for every lost place in its history.',
      labelNames: ['name'],
      registers,
    }),
    watches: new Counter({
      name: 'reflector_watches_total',
      help: 'Watches begun on a collection.',
      labelNames: ['name'],
      registers,
    }),
  };
}
