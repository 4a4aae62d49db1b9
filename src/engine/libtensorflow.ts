// Where libtensorflow is and of what kind: read from the note that the set-up leaves beside tfjs-node's addon. Loads nothing.

import { existsSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, sep } from "node:path";

/** The engine as it is installed. `flavour`: which library was set up; "given" is one that the user named. */
export type InstalledEngine = {
  /** Version of the TensorFlow.js packages. */
  tfjs: string;
  flavour: "cpu" | "gpu" | "given" | "prebuilt" | "unknown";
  /** Whether the library was built with CUDA; undefined where nobody looked. */
  cuda: boolean | undefined;
  /** libtensorflow's file, links resolved; undefined where it is not there. */
  library: string | undefined;
  /** tfjs-node's addon; undefined where it is not built. */
  addon: string | undefined;
};

/** What is installed; undefined where not even the npm package is. */
export function installedEngine(): InstalledEngine | undefined {
  let folder: string;
  try {
    folder = dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-node-gpu/package.json"));
  } catch {
    return undefined;
  }
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
  const note = readNote(folder);
  const addon = join(folder, "lib", "napi-v8", "tfjs_binding.node");
  const names = ["libtensorflow.so", "libtensorflow.2.dylib", "tensorflow.dll"];
  const library = names.map((name) => join(folder, "deps", "lib", name)).find((path) => existsSync(path));
  return {
    tfjs: version,
    flavour: note?.flavour ?? "unknown",
    cuda: note?.cuda,
    library: library && realpathSync(library),
    addon: existsSync(addon) ? addon : undefined,
  };
}

type Note = Pick<InstalledEngine, "flavour" | "cuda">;

function readNote(folder: string): Note | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, "deps", "engine.json"), "utf8")) as Note;
  } catch {
    return undefined;
  }
}

/** How this user sets the engine up: in a checkout by the npm script, else by the installed command. */
export function setupInvocation(): string {
  return import.meta.dirname.includes(`${sep}node_modules${sep}`) ? "npx rfdetr-train setup" : "npm run setup";
}

/** How this user passes options on to the set-up. */
export function setupWith(option: string): string {
  const command = setupInvocation();
  return command.startsWith("npm ") ? `${command} -- ${option}` : `${command} ${option}`;
}
