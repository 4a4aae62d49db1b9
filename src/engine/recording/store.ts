// Recordings by what they are found by, as many as may be kept; of more, the one that was used least recently is removed.

import { type Installed, uninstall } from "./functions.ts";
import type { RecordingBinding } from "./kernels.ts";

/** `uses`: replays under way; `warm`: it was replayed before. */
export type InstalledEntry = { state: "installed"; installed: Installed; uses: number; warm: boolean };

/** `first`: the fingerprint of the first run. `failed`: it goes on eagerly. */
type StoreEntry = { state: "first"; fingerprint: string } | { state: "failed" } | InstalledEntry;

export type RecordingStore = {
  find(key: string): StoreEntry | undefined;
  put(key: string, entry: StoreEntry): void;
  remove(key: string): void;
  clear(): void;
};

export function recordingStore(binding: RecordingBinding, most: number): RecordingStore {
  const entries = new Map<string, StoreEntry>(); // the one used last is the last
  const remove = (key: string) => {
    const entry = entries.get(key);
    entries.delete(key);
    if (entry?.state === "installed") uninstall(binding, entry.installed);
  };
  const put = (key: string, entry: StoreEntry) => {
    entries.delete(key);
    entries.set(key, entry);
    for (const [old, one] of entries) {
      if (entries.size <= most) break;
      if (one.state !== "installed" || one.uses === 0) remove(old);
    }
  };
  return {
    find(key) {
      const entry = entries.get(key);
      if (entry) put(key, entry);
      return entry;
    },
    put,
    remove,
    clear() {
      for (const key of [...entries.keys()]) remove(key);
    },
  };
}
