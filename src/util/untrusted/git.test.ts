import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { gitCommit } from "./git.ts";

const AUTHOR = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"];

function checkout() {
  const dir = mkdtempSync(join(tmpdir(), "git-"));
  const git = (...words: string[]) => execFileSync("git", [...AUTHOR, ...words], { cwd: dir, encoding: "utf8" }).trim();
  git("init", "-q");
  writeFileSync(join(dir, "a.txt"), "1");
  git("add", ".");
  git("commit", "-qm", "first");
  return { dir, git, commit: git("rev-parse", "HEAD") };
}

test("the commit is found below a checkout, on a branch, packed, detached, and in a linked worktree", async () => {
  const { dir, git, commit } = checkout();
  mkdirSync(join(dir, "deep", "er"), { recursive: true });
  expect(await gitCommit(join(dir, "deep", "er"))).toEqual({ commit });
  git("pack-refs", "--all");
  expect(await gitCommit(dir)).toEqual({ commit });
  const tree = `${dir}-tree`;
  git("worktree", "add", "-q", "-b", "other", tree);
  expect(await gitCommit(tree)).toEqual({ commit });
  git("checkout", "-q", "--detach");
  expect(await gitCommit(dir)).toEqual({ commit });
});

test("nothing that the checkout's configuration names is run", async () => {
  const { dir, git, commit } = checkout();
  const proof = join(dir, "ran");
  git("config", "core.fsmonitor", `touch ${proof}; echo`);
  git("config", "filter.x.clean", `touch ${proof}; cat`);
  git("config", "core.sshCommand", `touch ${proof}`);
  git("config", "core.pager", `touch ${proof}`);
  writeFileSync(join(dir, ".gitattributes"), "* filter=x\n");
  writeFileSync(join(dir, "a.txt"), "2");
  expect(await gitCommit(dir)).toEqual({ commit });
  expect(existsSync(proof)).toBe(false);
});

test("no checkout, no commit yet, and references that lead out or round are null", async () => {
  const dir = mkdtempSync(join(tmpdir(), "git-"));
  expect(await gitCommit(join(dir, "not", "there"))).toBeNull();
  mkdirSync(join(dir, ".git", "refs", "heads"), { recursive: true });
  for (const head of ["ref: refs/heads/main\n", "ref: refs/../../../../etc/passwd\n", "ref: refs/heads/round\n", "x"]) {
    writeFileSync(join(dir, ".git", "HEAD"), head);
    writeFileSync(join(dir, ".git", "refs", "heads", "round"), "ref: refs/heads/round\n");
    expect(await gitCommit(dir)).toBeNull();
  }
});
