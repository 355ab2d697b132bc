// What the controller asks of the API server, and why: the chart's role grants exactly this; a test holds the two
// equal.

export interface Permission {
  /** Empty: the core group. */
  apiGroup: string;
  resource: string;
  verbs: string[];
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
];
