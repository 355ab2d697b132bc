// What a feed may say about its pods beside their container: where they run, and labels and annotations that others
// read. A field that is absent or empty adds nothing to the pod template, so that it replaces no worker. Pure.
import { type ExchangeFeed, group, restartAnnotation, type WorkerSpec } from '../api/exchange-feed.ts';
import type { TopologySpreadConstraint } from '../api/scheduling.ts';

type Labels = Record<string, string>;

// Owned by whoever runs `kubectl rollout restart`: if we applied it, too, we would set it back each time.
const rolloutRestart = 'kubectl.kubernetes.io/restartedAt';
// By which the Deployment tells its pods apart. https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#pod-template-hash-label
const templateHash = 'pod-template-hash';

/**
 * @param own labels that selectors, watches and network policies rely on
 * @param ownAnnotations such as that of the Secrets, whose rotation makes other pods
 * @throws Error with one sentence when the feed has a label or annotation of its own under a key of ours
 */
export function podMetadata(
  { metadata, spec }: ExchangeFeed,
  own: Labels,
  ownAnnotations: Labels = {},
): { labels: Labels; annotations?: Labels } {
  const { podLabels = {}, podAnnotations = {} } = spec.worker ?? {};
  refuseKeys('worker.podLabels', podLabels, [...Object.keys(own), templateHash]);
  refuseKeys('worker.podAnnotations', podAnnotations, [rolloutRestart]);
  const restart = metadata.annotations?.[restartAnnotation];
  const restarted = restart === undefined ? {} : { [restartAnnotation]: restart };
  const annotations = { ...podAnnotations, ...restarted, ...ownAnnotations };
  return { labels: { ...own, ...podLabels }, ...(Object.keys(annotations).length > 0 && { annotations }) };
}

function refuseKeys(field: string, given: Labels, own: readonly string[]): void {
  const key = Object.keys(given).find((it) => own.includes(it) || it.startsWith(`${group}/`));
  if (key === undefined) return;
  throw new Error(`${field} has the key "${key}", which is not the feed's to set: use a key of your own domain`);
}

/** @param selector labels that the pods of this shard have, and no others */
export function scheduling(worker: WorkerSpec = {}, selector: Labels): object {
  const { nodeSelector = {}, tolerations = [], affinity = {}, priorityClassName } = worker;
  const constraints = worker.topologySpreadConstraints?.map((it) => ofShard(it, selector)) ?? [apart(selector)];
  return {
    ...(constraints.length > 0 && { topologySpreadConstraints: constraints }),
    ...(Object.keys(nodeSelector).length > 0 && { nodeSelector }),
    ...(tolerations.length > 0 && { tolerations }),
    ...(Object.keys(affinity).length > 0 && { affinity }),
    ...(priorityClassName && { priorityClassName }),
  };
}

/**
 * A standby on its owner's node would be lost with it. A wish, so that one node is enough; and always there, so that
 * asking for a standby adds a worker and replaces none.
 */
const apart = (selector: Labels): TopologySpreadConstraint =>
  ofShard({ maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' }, selector);

/** Without a selector Kubernetes would count no pod at all; the pods that an update replaces do not count. */
const ofShard = (constraint: TopologySpreadConstraint, selector: Labels): TopologySpreadConstraint =>
  constraint.labelSelector === undefined
    ? {
        ...constraint,
        labelSelector: { matchLabels: selector },
        matchLabelKeys: constraint.matchLabelKeys ?? [templateHash],
      }
    : constraint;
