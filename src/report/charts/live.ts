// Follows a run while it goes on, where a page is served: parts of the page that change are put in their places, charts are drawn again.

type LivePart = [name: string, value: unknown];

/** Milliseconds in which a second press means what the first one asked for. */
const SURE_MS = 4000;
const TOKEN = "rfdetr-control";

/** Charts that are on the screen, or nearly. */
const near = new Set<Element>();

function followRun({ base, from }: NonNullable<typeof page.live>): void {
  const watcher = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) near.add(target);
        else near.delete(target);
      }
      drawNear();
    },
    { rootMargin: "200px" },
  );
  const watchAll = () => {
    for (const figure of figures()) watcher.observe(figure);
  };
  watchAll();
  document.addEventListener("visibilitychange", drawNear);
  addEventListener("beforeprint", () => figures().forEach(draw));

  const note = (text: string) => {
    const place = document.querySelector<HTMLElement>(".live [role=status]")!;
    place.textContent = text;
    place.hidden = text === "";
  };
  const source = new EventSource(`${base}/events?from=${from}`);
  let waiting: LivePart[] = [];
  source.addEventListener("part", ({ data }) => waiting.push(JSON.parse(data) as LivePart));
  source.addEventListener("whole", () => {
    const parts = waiting;
    waiting = [];
    if (!page.run && parts.some(([name]) => name.startsWith("run "))) return location.reload(); // another page by now
    takeParts(parts);
    watchAll();
    drawNear();
  });
  source.addEventListener("reload", () => location.reload());
  source.addEventListener("error", () =>
    note("The watcher does not answer: it has ended, or sleeps. What is here is the last it said."),
  );
  source.addEventListener("open", () => note(""));
  addEventListener("hashchange", () => location.hash.startsWith("#control=") && location.reload()); // pasted where the page is open already
  const stop = document.querySelector<HTMLButtonElement>("button.stop");
  const token = controlToken();
  if (stop && token !== null) letStop(stop, { base, token, note });
}

/** Put parts of the page in their places. */
function takeParts(parts: readonly LivePart[]): void {
  const sections = new Set<string>();
  for (const [name, value] of parts) {
    const [kind, which = ""] = name.split(/ (.*)/s);
    if (kind === "title") document.title = String(value);
    else if (kind === "layout") layOut(value as [id: string, name: string][]);
    else if (kind === "page") Object.assign(page, { [which]: value });
    else if (kind === "run") Object.assign(page.run!, { [which]: value });
    else if (kind === "section") fill(document.getElementById(which), String(value), { keep: "h2" });
    else fill(document.querySelector(`[data-part="${kind}"]`), String(value));
    sections.add(kind === "run" && which === "browser" ? "browse" : which);
  }
  for (const id of sections) fillPictures(id);
  for (const figure of figures()) delete figure.querySelector<HTMLElement>(".plot")!.dataset.width;
}

/** New content, where what was unfolded stays so; `keep`: an element at its beginning that stays. */
function fill(place: Element | null, text: string, { keep }: { keep?: string } = {}): void {
  if (!place) return;
  const unfolded = [...place.querySelectorAll("details[open] > summary")].map(({ textContent }) => textContent);
  const kept = keep ? place.querySelector(`:scope > ${keep}`) : null;
  place.innerHTML = text;
  if (kept) place.prepend(kept);
  for (const summary of place.querySelectorAll("details > summary"))
    if (unfolded.includes(summary.textContent)) summary.parentElement!.setAttribute("open", "");
}

/** The sections in their order, and the links to them. */
function layOut(sections: readonly [id: string, name: string][]): void {
  const main = document.querySelector("main")!;
  const found = new Map([...main.children].map((section) => [section.id, section]));
  const wanted = sections.map(([id, name]) => found.get(id) ?? newSection(id, name));
  for (const [i, section] of wanted.entries())
    if (main.children[i] !== section) main.insertBefore(section, main.children[i] ?? null);
  while (main.children.length > wanted.length) main.lastElementChild!.remove();
  document.querySelector("nav ul")!.replaceChildren(
    ...sections.map(([id, name]) => {
      const [item, link] = [document.createElement("li"), document.createElement("a")];
      link.href = `#${id}`;
      link.textContent = name;
      item.append(link);
      return item;
    }),
  );
}

function newSection(id: string, name: string): Element {
  const [section, title] = [document.createElement("section"), document.createElement("h2")];
  section.id = id;
  title.id = `${id}-title`;
  title.textContent = name;
  section.setAttribute("aria-labelledby", title.id);
  section.append(title);
  return section;
}

/** Draw what can be seen and is not drawn; not under the pointer, which would lose what it points at. */
function drawNear(): void {
  if (document.visibilityState === "hidden") return;
  for (const figure of near) if (figure.isConnected && !figure.matches(":hover")) draw(figure as HTMLElement);
}

/** What the address at the terminal brought along; it stays with this tab, and out of its address. */
function controlToken(): string | null {
  const given = /^#control=([\w-]+)$/.exec(location.hash)?.[1];
  if (given !== undefined) {
    sessionStorage.setItem(TOKEN, given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(TOKEN);
}

function letStop(
  button: HTMLButtonElement,
  { base, token, note }: { base: string; token: string; note: (text: string) => void },
): void {
  const text = button.textContent;
  let unsure: ReturnType<typeof setTimeout> | undefined;
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (unsure === undefined) {
      button.textContent = "Really stop it?";
      unsure = setTimeout(() => {
        unsure = undefined;
        button.textContent = text;
      }, SURE_MS);
      return;
    }
    clearTimeout(unsure);
    unsure = undefined;
    button.disabled = true;
    const headers = { "x-rfdetr-control": token };
    const answer = await fetch(`${base}/stop`, { method: "POST", headers }).catch(() => undefined);
    const { asked = false, message = "The watcher refused: open the address that it printed." } = answer?.ok
      ? ((await answer.json()) as { asked: boolean; message: string })
      : {};
    note(message);
    button.disabled = asked;
    button.textContent = asked ? "Stopping" : text;
  });
}

if (page.live) followRun(page.live);
