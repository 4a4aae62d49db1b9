// How long something takes, for people.

/** A time in seconds, as milliseconds below one. `digits`: decimals of the seconds, by default one below ten. */
export function inSeconds(seconds: number, { digits = seconds < 10 ? 1 : 0 }: { digits?: number } = {}): string {
  return seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(digits)} s`;
}
