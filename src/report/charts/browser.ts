// Pictures to look through, by kind of error, class and confidence, with each box in the colour of what it is.

/** Pictures that are made at a time. */
const AT_ONCE = 12;

type Filter = { kind: ItemKind | ""; place: number | undefined; cell: { truth: number; taken: number } | undefined };

/** Let the controls and the matrix choose what is shown. */
function browse(data: BrowserData, section: HTMLElement): void {
  const find = <Kind extends Element>(selector: string) => section.querySelector<Kind>(selector)!;
  const [form, grid, more] = [find<HTMLFormElement>("form"), find(".browse"), find<HTMLButtonElement>(".browse-more")];
  const [slider, output] = [find<HTMLInputElement>("input[type=range]"), find("output")];
  const [select, cell] = [find<HTMLSelectElement>("select"), find<HTMLButtonElement>("button[name=cell]")];
  for (const [place, name] of data.classes.entries()) select.append(new Option(clip(name, 60), String(place)));
  const filter: Filter = { kind: "", place: undefined, cell: undefined };
  let rest: { picture: BrowsedPicture; items: Item[] }[] = [];

  const show = () => {
    for (const { picture, items } of rest.splice(0, AT_ONCE)) grid.append(browsedFigure(picture, items, data, filter));
    more.hidden = rest.length === 0;
  };
  const update = () => {
    const judged = data.pictures.map((picture) => ({ picture, items: judge(picture, confidence.now) }));
    const counted = judged.flatMap(({ items }) => items).filter((item) => fits(data, item, { ...filter, kind: "" }));
    for (const place of form.querySelectorAll<HTMLElement>("[data-count]"))
      place.textContent = String(counted.filter(({ kind }) => kind === place.dataset.count).length);
    const all = filter.kind === "" && filter.place === undefined && !filter.cell;
    rest = judged.filter(({ items }) => all || items.some((item) => fits(data, item, filter)));
    const some = rest.length === 1 ? "1 picture" : `${rest.length} pictures`;
    find("[data-browse=status]").textContent = `${some} at a confidence of ${confidence.now.toFixed(2)} or more.`;
    grid.replaceChildren();
    show();
  };
  const choose = (chosen: Filter["cell"], text = "") => {
    filter.cell = chosen;
    cell.hidden = !chosen;
    cell.textContent = `${text} \u00d7`;
    update();
  };
  slider.addEventListener("input", () => {
    Object.assign(confidence, { now: Number(slider.value), moved: true });
    output.textContent = confidence.now.toFixed(2);
    update();
    redraw(["confusion", "f1"]);
  });
  form.addEventListener("change", () => {
    filter.kind = (new FormData(form).get("kind") ?? "") as Filter["kind"];
    filter.place = select.value === "" ? undefined : Number(select.value);
    update();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  cell.addEventListener("click", () => choose(undefined));
  more.addEventListener("click", show);
  cellChosen.act = (of, text) => {
    choose(of, text);
    section.scrollIntoView();
  };
  form.reset(); // a browser that reloads a page would keep what was chosen
  Object.assign(confidence, { now: Number(slider.value), moved: false });
  update();
  section.dataset.ready = "true";
}

function fits(data: BrowserData, { kind, truth, taken }: Item, { kind: only, place, cell }: Filter): boolean {
  if (only !== "" && kind !== only) return false;
  if (place !== undefined && truth !== place && taken !== place) return false;
  return !cell || (rowOf(data, truth) === cell.truth && rowOf(data, taken) === cell.taken);
}

/** A picture with its boxes; those that were not asked for are faint. */
function browsedFigure(picture: BrowsedPicture, items: readonly Item[], data: BrowserData, filter: Filter): Element {
  const { figure, boxes, caption } = pictureFigure(picture);
  for (const item of items) boxes.append(...boxesOf(item, data.classes, { faint: !fits(data, item, filter) }));
  caption.textContent = outcomeOf(picture, items);
  return figure;
}
