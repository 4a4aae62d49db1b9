// Where W&B is, who asks, and whether it is asked at all: the environment variables and the file that its users know.

import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

export type WandbMode = "online" | "offline" | "disabled";

type Environment = Record<string, string | undefined>;

/** The recipe's mode, unless WANDB_MODE says that the network is not to be used. */
export function modeOf(recipe: "online" | "offline", environment: Environment = process.env): WandbMode {
  const asked = environment.WANDB_MODE;
  if (asked === "disabled") return "disabled";
  return asked === "offline" || asked === "dryrun" ? "offline" : recipe;
}

/** The server's address without a slash at its end, or why it is none. */
export function baseUrlOf(environment: Environment = process.env): { baseUrl: string } | { problem: string } {
  const baseUrl = (environment.WANDB_BASE_URL || "https://api.wandb.ai").replace(/\/+$/, "");
  if (URL.canParse(baseUrl) && /^https?:/.test(baseUrl)) return { baseUrl };
  return { problem: `WANDB_BASE_URL is "${baseUrl}", which is no address` };
}

/** The API key: WANDB_API_KEY, else what `wandb login` has put into ~/.netrc for the server; undefined where there is none. */
export async function apiKeyOf(baseUrl: string, environment: Environment = process.env): Promise<string | undefined> {
  if (environment.WANDB_API_KEY) return environment.WANDB_API_KEY.trim();
  const home = environment.HOME ?? environment.USERPROFILE ?? homedir();
  const names = environment.NETRC ? [environment.NETRC] : [join(home, ".netrc"), join(home, "_netrc")];
  for (const name of names) {
    const text = await readFile(name, "utf8").catch(() => "");
    const key = passwordIn(text, new URL(baseUrl).hostname);
    if (key) return key;
  }
  return undefined;
}

/** The password of a machine in a netrc file. */
function passwordIn(text: string, machine: string): string | undefined {
  const words = text
    .split("\n")
    .map((line) => line.replace(/^\s*#.*$/, ""))
    .join(" ")
    .split(/\s+/);
  let here = false;
  for (const [i, word] of words.entries()) {
    if (word === "machine") here = words[i + 1] === machine;
    if (word === "default") here = false;
    if (word === "password" && here) return words[i + 1];
  }
  return undefined;
}

/** The page of a run. Only the public service has its pages at another address than its API. */
export function runAddress(baseUrl: string, run: { entity: string; project: string; id: string }): string {
  const site = (process.env.WANDB_APP_URL || baseUrl.replace("//api.wandb.ai", "//wandb.ai")).replace(/\/+$/, "");
  return [site, run.entity, run.project, "runs", run.id]
    .map((part, i) => (i === 0 ? part : encodeURIComponent(part)))
    .join("/");
}
