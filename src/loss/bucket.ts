// Sizes that take few values.

/** The least power of two that is not below n: shapes then take few values, whatever the number of targets. */
export function bucket(n: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, n)));
}
