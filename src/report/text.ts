// Numbers and times as people read them.

import type { Difference } from "./comparison.ts";

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

/**
 * What a training cost and how far it went, for two runs and as their difference: an amount has a sign, a time is a time, and
 * an epoch is earlier or later.
 */
export function trainingTexts({ name, a, b, change: by }: Difference): {
  name: string;
  texts: [string, string, string];
} {
  const shown = (value: number | null, text: (value: number) => string) => (value === null ? "–" : text(value));
  const plain = (value: number) => String(Number(value.toPrecision(4)));
  const signed = (text: (value: number) => string) => (value: number) =>
    value === 0 ? "0" : `${value > 0 ? "+" : "−"}${text(Math.abs(value))}`;
  if (name === "minutes") {
    const time = (minutes: number) => duration(60 * minutes);
    return { name: "time", texts: [shown(a, time), shown(b, time), shown(by, signed(time))] };
  }
  const epochs = (value: number) =>
    value === 0 ? "the same" : `${Math.abs(value)} ${value > 0 ? "later" : "earlier"}`;
  const difference = name === "best epoch" ? epochs : signed(plain);
  return { name, texts: [shown(a, plain), shown(b, plain), shown(by, difference)] };
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
