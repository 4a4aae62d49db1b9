// The same few pictures at every evaluation of a run: a slider moves all of them from epoch to epoch, another one the confidence.

type FixedData = import("../page/pageData.ts").FixedData;
type FixedMoment = FixedData["evaluations"][number];

/** Milliseconds that an evaluation is shown for while they run by: all of them take seconds, however many there are. */
const MOMENT_MS = [90, 700] as const;
const PLAY_MS = 6000;

/** What a person chose, which stays where the section is made again: the step of an evaluation, undefined: the last one. */
const fixedChoice: { step: number | undefined; least: number | undefined } = { step: undefined, least: undefined };

/** Let the sliders choose what is shown. */
function showFixed(data: FixedData, section: HTMLElement): void {
  const find = <Kind extends Element>(selector: string) => section.querySelector<Kind>(selector)!;
  const form = find<HTMLFormElement>("form");
  const [epoch, least] = [find<HTMLInputElement>("[name=epoch]"), find<HTMLInputElement>("[name=least]")];
  const play = find<HTMLButtonElement>("[name=play]");
  const shown = data.pictures.map((picture) => ({ picture, ...pictureFigure(picture) }));
  const last = data.evaluations.length - 1;
  form.reset(); // a browser that reloads a page would keep what was chosen
  epoch.max = String(Math.max(0, last));
  const chosen = data.evaluations.findIndex(({ step }) => step === fixedChoice.step);
  epoch.value = String(chosen < 0 ? last : chosen);
  least.value = String(fixedChoice.least ?? data.evaluations[last]?.threshold ?? 0.5);

  const show = () => {
    const moment = data.evaluations[Number(epoch.value)];
    const from = Number(least.value);
    find("[data-fixed=epoch]").textContent = moment ? momentText(moment) : "";
    find("[data-fixed=least]").textContent = from.toFixed(2);
    for (const [i, one] of shown.entries()) drawMoment(one, moment?.pictures[i], { classes: data.classes, from });
  };
  let timer: ReturnType<typeof setInterval> | undefined;
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    play.textContent = "Play";
  };
  play.addEventListener("click", () => {
    if (timer) return stop();
    if (Number(epoch.value) === last) epoch.value = "0";
    show();
    play.textContent = "Pause";
    const pause = Math.min(MOMENT_MS[1], Math.max(MOMENT_MS[0], PLAY_MS / data.evaluations.length));
    timer = setInterval(() => {
      epoch.value = String(Number(epoch.value) + 1);
      show();
      if (Number(epoch.value) >= last || !section.isConnected) stop();
    }, pause);
  });
  epoch.addEventListener("input", () => {
    stop();
    const place = Number(epoch.value);
    fixedChoice.step = place === last ? undefined : data.evaluations[place]?.step;
    show();
  });
  least.addEventListener("input", () => {
    fixedChoice.least = Number(least.value);
    show();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  find(".fixed").replaceChildren(...shown.map(({ figure }) => figure));
  show();
  section.dataset.ready = "true";
}

/** "epoch 12, step 600, AP50:95 0.412". */
function momentText({ step, epoch }: FixedMoment): string {
  const { main } = page.metrics;
  const ap = page.run?.val.values[main]?.[page.run.val.step.indexOf(step)];
  return `epoch ${epoch + 1}, step ${step}${isNumber(ap) ? `, ${main} ${score(ap)}` : ""}`;
}

/** Labels, dashed, under what was found at a time; without such a time, labels alone. */
function drawMoment(
  {
    picture,
    boxes,
    caption,
  }: { picture: FixedData["pictures"][number] } & Pick<ReturnType<typeof pictureFigure>, "boxes" | "caption">,
  found: FixedMoment["pictures"][number] | undefined,
  { classes, from }: { classes: readonly string[]; from: number },
): void {
  const { truths, outlines } = picture;
  const labels = truths.map(([, ...box], g) => {
    const outline = outlines?.[g] ?? [];
    if (outline.length > 0) return svgElement("polygon", { points: outline.join(" "), class: "label" });
    return rectangle(box, "label");
  });
  if (!found) {
    boxes.replaceChildren(...labels);
    caption.textContent = `${picture.image}: ${truths.length} to be found`;
    return;
  }
  const items = judge({ truths, detections: found.detections }, from);
  const shapes = items.map((item) => {
    const outline = item.kind === "miss" ? outlines?.[item.object!] : found.outlines?.[item.detection!];
    return boxesOf({ ...item, meant: undefined }, classes, outline && { outline });
  });
  boxes.replaceChildren(...labels, ...shapes.flat());
  caption.textContent = outcomeOf(picture, items);
}
