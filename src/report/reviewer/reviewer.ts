// Suspects to go through, one after the other: filters, keys, and the count of what was decided. The last part of the script.

const form = document.querySelector<HTMLFormElement>(".review-controls")!;
const grid = document.querySelector<HTMLElement>(".suspects")!;
const said = document.querySelector<HTMLElement>("[role=status]")!;
/** Cards are made when they are first shown. */
const cards = new Map<number, HTMLElement>();
/** Cards that are added at a time. */
const AT_ONCE = 40;
let shown: number[] = [];
let current = -1;

function cardAt(place: number): HTMLElement {
  const card = cards.get(place) ?? cardOf(suspects[place]!, place);
  if (!cards.has(place)) {
    cards.set(place, card);
    mark(place);
  }
  return card;
}

/** Have at least so many cards in the page. */
function fill(count: number): void {
  const there = grid.childElementCount;
  if (count > there) grid.append(...shown.slice(there, Math.max(count, there + AT_ONCE)).map(cardAt));
}

function cardOf(suspect: Suspect, place: number): HTMLElement {
  const card = document.createElement("article");
  card.tabIndex = -1;
  const text = (name: string, content: string, className = "") => {
    const element = document.createElement(name);
    element.textContent = content;
    element.className = className;
    return element;
  };
  const accepting = text("p", "", "soft");
  const buttons = document.createElement("p");
  buttons.className = "suspect-buttons";
  for (const [decision, name] of [
    ["accept", "Accept"],
    ["reject", "Reject"],
  ] as const) {
    const button = text("button", name) as HTMLButtonElement;
    button.type = "button";
    button.dataset.decision = decision;
    button.addEventListener("click", () => choose(place, decision));
    buttons.append(button);
  }
  const say = () => {
    accepting.textContent = `Accepting ${sayingsOf(suspect, classOf(suspect)).accept}.`;
  };
  say();
  card.append(
    pictureOf(suspect, place),
    text("h2", sayingsOf(suspect, "").what),
    accepting,
    ...(isNamed(suspect) ? [classChoice(suspect, say)] : []),
    buttons,
    text(
      "p",
      `${suspect.id}. ${suspect.file_name}, ${suspect.split}: ${suspect.score.toFixed(2)}`,
      "suspect-file soft",
    ),
  );
  card.addEventListener("pointerdown", () => go(place, { scroll: false }));
  return card;
}

/** Whether accepting gives a label a class, which may be another one than was found. */
function isNamed({ kind }: Suspect): boolean {
  return classes.length > 1 && (kind === "missing" || kind === "class");
}

function classOf({ id, found }: Suspect): string {
  return chosen.get(id) ?? found?.class ?? "";
}

function classChoice(suspect: Suspect, say: () => void): Element {
  const choice = document.createElement("select");
  choice.setAttribute("aria-label", "Class");
  for (const name of classes) choice.append(new Option(name, name, false, name === classOf(suspect)));
  choice.addEventListener("change", () => {
    chosen.set(suspect.id, choice.value);
    say();
    count(keep());
  });
  return choice;
}

/** Decide, or take the same decision back. */
function choose(place: number, decision: Decision | undefined): void {
  const { id } = suspects[place]!;
  if (decision && decisions.get(id) !== decision) decisions.set(id, decision);
  else decisions.delete(id);
  mark(place);
  count(keep());
}

function mark(place: number): void {
  const decision = decisions.get(suspects[place]!.id);
  const card = cardAt(place);
  card.dataset.decision = decision ?? "";
  for (const button of card.querySelectorAll<HTMLButtonElement>("[data-decision]"))
    button.setAttribute("aria-pressed", String(button.dataset.decision === decision));
}

function count(kept = true): void {
  const of = (decision: Decision) => suspects.filter(({ id }) => decisions.get(id) === decision).length;
  const [accepted, rejected] = [of("accept"), of("reject")];
  const left = suspects.length - accepted - rejected;
  const note = kept ? "" : " This browser keeps no decisions: download them before you leave.";
  said.textContent = `${shown.length} shown. ${accepted} accepted, ${rejected} rejected, ${left} open.${note}`;
}

function go(place: number | undefined, { scroll = true }: { scroll?: boolean } = {}): void {
  if (place === undefined) return;
  cards.get(current)?.classList.remove("current");
  current = place;
  fill(shown.indexOf(place) + 1);
  cardAt(place).classList.add("current");
  if (scroll) cardAt(place).scrollIntoView({ block: "nearest" });
}

/** Which suspects are shown, by kind, class and whether they are decided. */
function filter(): void {
  const data = new FormData(form);
  const [kind, named, open] = ["kind", "class", "open"].map((name) => String(data.get(name) ?? ""));
  const fits = ({ id, kind: of, label, found }: Suspect) => {
    if (kind !== "" && of !== kind) return false;
    if (named !== "" && label?.class !== named && found?.class !== named) return false;
    return open === "" || (open === "open" ? !decisions.has(id) : decisions.get(id) === open);
  };
  shown = [...suspects.keys()].filter((place) => fits(suspects[place]!));
  grid.replaceChildren();
  fill(AT_ONCE);
  if (!shown.includes(current)) {
    cards.get(current)?.classList.remove("current");
    current = -1;
    go(shown[0], { scroll: false });
  }
  count();
}

/** The suspect so many places after the current one. */
function step(by: number): void {
  const at = shown.indexOf(current);
  go(shown[Math.min(Math.max(at + by, 0), shown.length - 1)]);
}

/** Cards in a row, as they lie now. */
function perRow(): number {
  const all = [...grid.children] as HTMLElement[];
  return Math.max(1, all.filter(({ offsetTop }) => offsetTop === all[0]!.offsetTop).length);
}

function press(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || shown.length === 0) return;
  if (event.target instanceof Element && event.target.closest("select, input")) return;
  const keys: Record<string, () => void> = {
    a: () => decideOn("accept"),
    r: () => decideOn("reject"),
    u: () => choose(current, decisions.get(suspects[current]!.id)),
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    ArrowDown: () => step(perRow()),
    ArrowUp: () => step(-perRow()),
  };
  const act = keys[event.key];
  if (!act || current < 0) return;
  event.preventDefault();
  act();
}

/** By a key, which never takes a decision back, and goes on. */
function decideOn(decision: Decision): void {
  if (decisions.get(suspects[current]!.id) !== decision) choose(current, decision);
  step(1);
}

form.reset(); // a browser that reloads a page would keep what was chosen
readKept();
form.addEventListener("change", filter);
form.addEventListener("submit", (event) => event.preventDefault());
document.querySelector("[name=download]")!.addEventListener("click", download);
addEventListener("keydown", press);
new IntersectionObserver(([end]) => end?.isIntersecting && fill(grid.childElementCount + 1), {
  rootMargin: "800px",
}).observe(document.querySelector("footer")!);
filter();
document.documentElement.dataset.ready = "true";
