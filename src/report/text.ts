// Numbers and times as people read them.

/** A score from 0 to 1, or a dash where nothing was measured. */
export function score(value: unknown): string {
  return typeof value === "number" && value >= 0 ? value.toFixed(3) : "–";
}

/** The change of a score, with its sign. */
export function change(value: number): string {
  const text = Math.abs(value).toFixed(3);
  return text === "0.000" ? "0.000" : `${value > 0 ? "+" : "−"}${text}`;
}

export function duration(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** ISO text as "2026-03-04 05:06 UTC"; anything else as it is. */
export function moment(iso: string): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(iso) ? `${iso.slice(0, 10)} ${iso.slice(11, 16)} UTC` : iso;
}

export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? noun : many}`;
}

/** A word for a shell, quoted where it has to be. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
