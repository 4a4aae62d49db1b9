import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { apiKeyOf, baseUrlOf, modeOf, runAddress } from "./credentials.ts";

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "home-"));
});
afterAll(() => rm(home, { recursive: true }));

it("WANDB_MODE can take the network away but not give it", () => {
  expect(modeOf("online", {})).toBe("online");
  expect(modeOf("online", { WANDB_MODE: "offline" })).toBe("offline");
  expect(modeOf("online", { WANDB_MODE: "dryrun" })).toBe("offline");
  expect(modeOf("online", { WANDB_MODE: "disabled" })).toBe("disabled");
  expect(modeOf("offline", { WANDB_MODE: "online" })).toBe("offline");
});

it("the server's address is checked and loses its last slash", () => {
  expect(baseUrlOf({})).toEqual({ baseUrl: "https://api.wandb.ai" });
  expect(baseUrlOf({ WANDB_BASE_URL: "http://localhost:8080//" })).toEqual({ baseUrl: "http://localhost:8080" });
  for (const wrong of ["localhost", "ftp://a", "http://"])
    expect(baseUrlOf({ WANDB_BASE_URL: wrong })).toHaveProperty("problem");
});

it("the key comes from the environment, else from the netrc file, for the right machine only", async () => {
  const environment = { HOME: home };
  expect(await apiKeyOf("https://api.wandb.ai", environment)).toBeUndefined();
  const netrc = [
    "# machine api.wandb.ai password comment",
    "machine example.org login a password wrong",
    "machine api.wandb.ai",
    "  login user",
    "  password right",
    "machine localhost login user password local",
    "default login anonymous password none",
  ];
  await writeFile(join(home, ".netrc"), netrc.join("\n"));
  expect(await apiKeyOf("https://api.wandb.ai", environment)).toBe("right");
  expect(await apiKeyOf("http://localhost:8080", environment)).toBe("local");
  expect(await apiKeyOf("https://elsewhere.org", environment)).toBeUndefined();
  expect(await apiKeyOf("https://api.wandb.ai", { ...environment, WANDB_API_KEY: " own\n" })).toBe("own");
  await writeFile(join(home, "other"), "machine api.wandb.ai login user password third");
  expect(await apiKeyOf("https://api.wandb.ai", { ...environment, NETRC: join(home, "other") })).toBe("third");
});

it("the page of a run is at the public site, or at the server's own address", () => {
  const run = { entity: "team", project: "my forest", id: "abc" };
  expect(runAddress("https://api.wandb.ai", run)).toBe("https://wandb.ai/team/my%20forest/runs/abc");
  expect(runAddress("http://localhost:8080", run)).toBe("http://localhost:8080/team/my%20forest/runs/abc");
});
