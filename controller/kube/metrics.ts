// The machinery's metrics, under the names that client-go and controller-runtime use, so that existing dashboards work.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface KubeMetrics {
  /** `code` is the HTTP status, or `<error>` when there was no answer; `host` is the API server's. */
  requests: Counter<'code' | 'method' | 'host'>;
  requestSeconds: Histogram<'verb' | 'host'>;
  queueDepth: Gauge<'name'>;
  queueAdds: Counter<'name'>;
  queueRetries: Counter<'name'>;
  queueSeconds: Histogram<'name'>;
  workSeconds: Histogram<'name'>;
  /** Has `seconds` asked at every scrape: how long each key of the queue is with its worker by now. */
  observeWork(name: string, seconds: () => number[]): void;
  reconciles: Counter<'controller' | 'result'>;
  reconcileErrors: Counter<'controller'>;
  terminalErrors: Counter<'controller'>;
  reconcileSeconds: Histogram<'controller'>;
  activeWorkers: Gauge<'controller'>;
  workersMax: Gauge<'controller'>;
  /** 1: this process leads. */
  leading: Gauge<'name'>;
  lists: Counter<'name'>;
  watches: Counter<'name'>;
  events: Counter<'result'>;
}

// From a request that the API server answers from memory to one that is given up.
const requestBuckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];
// A reconcile that changes nothing takes milliseconds; one that waits for a silent broker takes its time-outs.
const workBuckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** @throws Error when the registry already has them: make them once per process */
export function createKubeMetrics(registry: Registry): KubeMetrics {
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Counter({ name, help, labelNames, registers });
  const gauge = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Gauge({ name, help, labelNames, registers });
  const histogram = <Label extends string>(name: string, help: string, buckets: number[], labelNames: Label[]) =>
    new Histogram({ name, help, labelNames, buckets, registers });
  return {
    ...requestMetrics(),
    ...queueMetrics(),
    observeWork: createWorkGauges(registers),
    ...reconcileMetrics(),
    leading: gauge('leader_election_master_status', '1: this process leads; 0: it stands by.', ['name']),
    lists: counter(
      'reflector_lists_total',
      'Complete lists of a collection: one at the start, then one for every lost place in its history.',
      ['name'],
    ),
    watches: counter('reflector_watches_total', 'Watches begun on a collection.', ['name']),
    events: counter(
      'event_recorder_events_total',
      'Events by what became of them: written, failed, dropped because one object had too many.',
      ['result'],
    ),
  };

  function requestMetrics() {
    return {
      requests: counter(
        'rest_client_requests_total',
        'Requests to the Kubernetes API, every try counted, by status code and method.',
        ['code', 'method', 'host'],
      ),
      requestSeconds: histogram(
        'rest_client_request_duration_seconds',
        'Duration of a try until the head of its answer, by method.',
        requestBuckets,
        ['verb', 'host'],
      ),
    };
  }

  function queueMetrics() {
    return {
      queueDepth: gauge('workqueue_depth', 'Keys that wait for a worker.', ['name']),
      queueAdds: counter(
        'workqueue_adds_total',
        'Keys added to the queue; adding a key that already waits is not counted.',
        ['name'],
      ),
      queueRetries: counter('workqueue_retries_total', 'Keys put back with a backoff.', ['name']),
      queueSeconds: histogram(
        'workqueue_queue_duration_seconds',
        'How long a key waited before a worker had it.',
        workBuckets,
        ['name'],
      ),
      workSeconds: histogram('workqueue_work_duration_seconds', 'How long a worker had a key.', workBuckets, ['name']),
    };
  }

  function reconcileMetrics() {
    return {
      reconciles: counter(
        'controller_runtime_reconcile_total',
        'Reconciles by result: success, requeue_after, requeue (a conflict), error.',
        ['controller', 'result'],
      ),
      reconcileErrors: counter('controller_runtime_reconcile_errors_total', 'Reconciles that failed.', ['controller']),
      terminalErrors: counter(
        'controller_runtime_terminal_reconcile_errors_total',
        'Reconciles that failed in a way that trying again cannot help.',
        ['controller'],
      ),
      reconcileSeconds: histogram(
        'controller_runtime_reconcile_time_seconds',
        'Duration of a reconcile.',
        workBuckets,
        ['controller'],
      ),
      activeWorkers: gauge('controller_runtime_active_workers', 'Keys worked on now.', ['controller']),
      workersMax: gauge('controller_runtime_max_concurrent_reconciles', 'Keys worked on at once, at most.', [
        'controller',
      ]),
    };
  }
}

function createWorkGauges(registers: Registry[]): KubeMetrics['observeWork'] {
  const queues = new Map<string, () => number[]>();
  const work = (name: string, help: string, sumUp: (seconds: number[]) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['name'],
      registers,
      collect() {
        for (const [queue, seconds] of queues) this.set({ name: queue }, sumUp(seconds()));
      },
    });
  work('workqueue_unfinished_work_seconds', 'Seconds of work on keys that are with a worker, summed up.', (seconds) =>
    seconds.reduce((sum, it) => sum + it, 0),
  );
  work('workqueue_longest_running_processor_seconds', 'How long the slowest worker has had its key.', (seconds) =>
    Math.max(0, ...seconds),
  );
  return (name, seconds) => void queues.set(name, seconds);
}
