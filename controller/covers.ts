// Whether a stored Kubernetes object already has everything that we would apply to it. Server-side apply would change
// nothing then, so the request can be left out. What others added beside it (defaults, sidecars) does not count.

/** Objects match by field; lists of named objects by name; other lists in order; numbers and quantities by value. */
export function covers(stored: unknown, applied: unknown): boolean {
  if (Array.isArray(applied)) return Array.isArray(stored) && coversList(stored, applied);
  if (isObject(applied)) {
    return isObject(stored) && Object.entries(applied).every(([field, value]) => covers(stored[field], value));
  }
  return stored === applied || sameQuantity(stored, applied);
}

function coversList(stored: unknown[], applied: unknown[]): boolean {
  return applied.every((value, index) => {
    const name = isObject(value) ? value.name : undefined;
    // Apply merges these lists by name, so others may have put entries in between.
    const match = name === undefined ? stored[index] : stored.find((item) => isObject(item) && item.name === name);
    return covers(match, value);
  });
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

// In thousandths, the smallest unit there is. https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
const units: Record<string, number> = {
  m: 1,
  '': 1e3,
  k: 1e6,
  M: 1e9,
  G: 1e12,
  T: 1e15,
  Ki: 2 ** 10 * 1e3,
  Mi: 2 ** 20 * 1e3,
  Gi: 2 ** 30 * 1e3,
  Ti: 2 ** 40 * 1e3,
};

/** The API server stores quantities in its own form: `1000m` as `1`, `1024Mi` as `1Gi`. */
function sameQuantity(a: unknown, b: unknown): boolean {
  const value = thousandthsOf(a);
  return value !== null && value === thousandthsOf(b);
}

function thousandthsOf(value: unknown): number | null {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/.exec(String(value)) ?? [];
  const factor = units[unit];
  return digits === undefined || factor === undefined ? null : Math.round(Number(digits) * factor);
}
