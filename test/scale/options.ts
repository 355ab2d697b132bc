// What a run is asked to do, from the environment, as `make scale FEEDS=100 PART=quiet` gives it.

export interface Options {
  feeds: number;
  /** So many of them are watched for what a controller does when nothing changes. */
  quietFeeds: number;
  quietMinutes: number;
  /** With all feeds; 5 or more, or the look at the broker that comes every five minutes is missing. */
  steadyMinutes: number;
  /** What is measured: nothing changes, and many feeds. */
  parts: Part[];
}

const allParts = ['quiet', 'many'] as const;
export type Part = (typeof allParts)[number];

/** @throws Error that names the variable, its value, and what would be right */
export function readOptions(environment: Record<string, string | undefined>): Options {
  const read = (name: string, otherwise: number, least: number, most: number): number => {
    const text = environment[name] || String(otherwise);
    const value = Number(text);
    if (value >= least && value <= most) return value;
    throw new Error(`${name}: '${text}' is not a number from ${least} to ${most}; for example ${name}=${otherwise}`);
  };
  const feeds = read('FEEDS', 1000, 60, 5000);
  const part = environment.PART;
  const parts = allParts.filter((one) => !part || one === part);
  if (parts.length === 0)
    throw new Error(`PART: '${part}' is not one of ${allParts.join(', ')}; for example PART=quiet`);
  return {
    parts,
    feeds,
    quietFeeds: Math.min(feeds, 100),
    quietMinutes: read('QUIET_MINUTES', 10, 0.1, 1440),
    steadyMinutes: read('STEADY_MINUTES', 6, 0.1, 1440),
  };
}
