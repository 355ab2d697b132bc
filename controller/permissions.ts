// What the controller asks of the API server, and why: the chart's roles grant exactly this; a test holds them equal.

export interface Permission {
  /** Empty: the core group. */
  apiGroup: string;
  resource: string;
  verbs: string[];
  /** Asked for in the controller's own namespace only; absent: wherever feeds are. */
  ownNamespace?: true;
  why: string;
}

export const permissions: Permission[] = [
  {
    apiGroup: 'feeds.k2.dev',
    resource: 'exchangefeeds',
    verbs: ['list', 'watch', 'patch'],
    why: 'Knows all feeds; patch adds and removes the finalizer.',
  },
  {
    apiGroup: 'feeds.k2.dev',
    resource: 'exchangefeeds/status',
    verbs: ['patch'],
    why: 'Writes the status.',
  },
  {
    apiGroup: 'feeds.k2.dev',
    resource: 'exchangefeeds/finalizers',
    verbs: ['update'],
    why: 'Its children name their feed as owner, blockOwnerDeletion; OwnerReferencesPermissionEnforcement asks for it.',
  },
  {
    apiGroup: 'apps',
    resource: 'deployments',
    verbs: ['list', 'watch', 'create', 'patch', 'delete'],
    why: 'The workers: server-side apply is patch, and create the first time; delete when a shard or a feed ends.',
  },
  {
    apiGroup: 'policy',
    resource: 'poddisruptionbudgets',
    verbs: ['list', 'watch', 'create', 'patch', 'delete'],
    why: 'One for each shard with a standby, the same way; delete when the standbys go.',
  },
  {
    apiGroup: '',
    resource: 'pods',
    verbs: ['list', 'watch'],
    why: 'Addresses of the workers, and why one does not start.',
  },
  {
    apiGroup: '',
    resource: 'secrets',
    verbs: ['get', 'list', 'watch'],
    why: 'Those that feeds name are read; list and watch ask for names and versions only, which is no verb of its own.',
  },
  {
    apiGroup: 'events.k8s.io',
    resource: 'events',
    verbs: ['create', 'patch'],
    why: 'Tells of transitions; patch counts what happens again.',
  },
  {
    apiGroup: 'coordination.k8s.io',
    resource: 'leases',
    verbs: ['get', 'create', 'update'],
    ownNamespace: true,
    why: 'Leader election: one of several controllers works.',
  },
  {
    apiGroup: '',
    resource: 'configmaps',
    verbs: ['get', 'create', 'patch'],
    ownNamespace: true,
    why: 'The ledger of the topics and subjects that it made; nothing else is ever deleted.',
  },
];
