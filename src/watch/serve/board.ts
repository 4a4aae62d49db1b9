// The parts of a page that follows something, by name: whoever has seen it as it was is told what has changed since.

export type Board = {
  /** Counts changes. */
  readonly revision: number;
  /**
   * Put a part there. `source`: what it is made of; the same one as the last time is not looked at again. `value`: what a page is given,
   * as JSON.
   */
  put(name: string, source: unknown, value?: () => unknown): void;
  /** Names and values, as JSON, of what has changed since a revision, oldest first. */
  since(revision: number): { name: string; json: string }[];
};

export function board(): Board {
  const parts = new Map<string, { source: unknown; json: string; revision: number }>();
  let revision = Date.now(); // above those of a watcher before this one, whose pages may still be open
  return {
    get revision() {
      return revision;
    },
    put: (name, source, value = () => source) => {
      const last = parts.get(name);
      if (last && last.source === source) return;
      const json = JSON.stringify(value()) ?? "null";
      if (last?.json === json) last.source = source;
      else parts.set(name, { source, json, revision: ++revision });
    },
    since: (from) =>
      [...parts]
        .filter(([, part]) => part.revision > from)
        .sort(([, a], [, b]) => a.revision - b.revision)
        .map(([name, { json }]) => ({ name, json })),
  };
}
