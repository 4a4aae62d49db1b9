// What this machine has: platform, NVIDIA GPUs, Python with pip, compiler, make, Node's headers, disk space.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, realpathSync, statfsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";

/** The user's cache folder of this program: `RFDETR_CACHE`, else the platform's. */
export function cacheDir() {
  const { RFDETR_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (RFDETR_CACHE) return resolve(RFDETR_CACHE);
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, "rfdetr-train");
  if (process.platform === "darwin") return join(homedir(), "Library", "Caches", "rfdetr-train");
  if (process.platform === "win32" && LOCALAPPDATA) return join(LOCALAPPDATA, "rfdetr-train");
  return join(homedir(), ".cache", "rfdetr-train");
}

/** Where a program is on the PATH. */
export function which(name) {
  if (name.includes("/")) return existsSync(name) ? name : undefined;
  const endings = process.platform === "win32" ? [".exe", ".cmd", ""] : [""];
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    for (const ending of endings) {
      const path = join(folder || ".", name + ending);
      if (existsSync(path)) return path;
    }
  }
  return undefined;
}

function firstLine(program, args) {
  const { status, stdout } = spawnSync(program, args, { encoding: "utf8", timeout: 20_000 });
  return status === 0 ? stdout.split("\n")[0].trim() : undefined;
}

/** The Python that is used, and its pip: the first one that has pip, else the first one. */
export function findPython() {
  let first;
  for (const name of [process.env.PYTHON, "python3", "python"]) {
    const path = name ? which(name) : undefined;
    const version = path && firstLine(path, ["-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"]);
    if (!path || !version || version.startsWith("2.")) continue;
    const pip = /^pip (\S+)/.exec(firstLine(path, ["-m", "pip", "--version"]) ?? "")?.[1];
    first ??= { path, version, pip };
    if (pip) return { path, version, pip };
  }
  return first;
}

/** The C++ compiler that node-gyp's makefiles call, with its first line of `--version`. */
export function findCompiler() {
  const path = which(process.env.CXX?.split(" ")[0] || "g++");
  return path && { path, version: firstLine(path, ["--version"]) ?? "unknown version" };
}

export function findMake() {
  const path = which("make") ?? which("gmake");
  return path && { path, version: firstLine(path, ["--version"]) ?? "unknown version" };
}

/** The folder whose `include/node` holds the headers of the Node that runs this, where they came with it. */
export function findNodeHeaders() {
  const folder = dirname(dirname(realpathSync(process.execPath)));
  try {
    const text = readFileSync(join(folder, "include", "node", "node_version.h"), "utf8");
    const major = /#define NODE_MAJOR_VERSION (\d+)/.exec(text)?.[1];
    return major === process.versions.node.split(".")[0] ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** Names of the NVIDIA GPUs that the driver shows; empty where there is no driver or no GPU. */
export function nvidiaGpus() {
  const folder = "/proc/driver/nvidia/gpus";
  try {
    const names = readdirSync(folder).map(
      (id) => /^Model:\s*(.+)$/m.exec(readFileSync(join(folder, id, "information"), "utf8"))?.[1] ?? "NVIDIA GPU",
    );
    if (names.length > 0) return names;
  } catch {
    // no such driver, or a container or WSL 2 that hides the folder
  }
  const tool = which("nvidia-smi") ?? which("/usr/lib/wsl/lib/nvidia-smi");
  if (!tool) return [];
  const { status, stdout } = spawnSync(tool, ["-L"], { encoding: "utf8", timeout: 15_000 });
  if (status !== 0) return [];
  return [...stdout.matchAll(/^GPU \d+: (.+?)(?: \(UUID.*)?$/gm)].map((match) => match[1]);
}

/** glibc's version, e.g. "2.36"; undefined on musl and other systems. */
export function glibcVersion() {
  const { report } = process;
  const before = report.excludeNetwork;
  report.excludeNetwork = true; // else it asks the name service
  const version = report.getReport().header.glibcVersionRuntime;
  report.excludeNetwork = before;
  return version;
}

/** Free bytes on the disk of a folder, or of its nearest parent that exists. */
export function freeBytes(folder) {
  for (let at = resolve(folder); ; at = dirname(at)) {
    if (existsSync(at)) {
      const { bavail, bsize } = statfsSync(at);
      return bavail * bsize;
    }
    if (at === dirname(at)) return Number.POSITIVE_INFINITY;
  }
}

/** The command that installs system packages here, e.g. `sudo apt-get install -y make g++`. */
export function installCommand(need) {
  const names = {
    "apt-get": { compiler: "g++", make: "make", python: "python3 python3-pip", pip: "python3-pip" },
    dnf: { compiler: "gcc-c++", make: "make", python: "python3 python3-pip", pip: "python3-pip" },
    yum: { compiler: "gcc-c++", make: "make", python: "python3 python3-pip", pip: "python3-pip" },
    zypper: { compiler: "gcc-c++", make: "make", python: "python3 python3-pip", pip: "python3-pip" },
    pacman: { compiler: "gcc", make: "make", python: "python python-pip", pip: "python-pip" },
  };
  // The system's own tools are found even where the PATH is a bare one.
  const manager = Object.keys(names).find((name) => which(name) ?? which(`/usr/bin/${name}`)) ?? "apt-get";
  const verb = manager === "pacman" ? "-S --noconfirm" : "install -y";
  const root = process.getuid?.() === 0 ? "" : "sudo ";
  return `${root}${manager} ${verb} ${need.map((what) => names[manager][what]).join(" ")}`;
}
