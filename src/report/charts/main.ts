// Draws the page's charts, again when its width changes, and lets pictures grow.

type Draw<Data> = (data: Data, width: number) => Drawing[];

type LossChart = import("../page/pageData.ts").LossChart;

const RUN_CHARTS: Record<Exclude<import("../page/pageData.ts").RunChart, LossChart>, Draw<RunData>> = {
  ap: apCurves({ masks: false }),
  "ap-masks": apCurves({ masks: true }),
  "ap-sizes": valCurves({ small: "APs", medium: "APm", large: "APl" }),
  found: valCurves({ F1: "F1", precision: "precision", recall: "recall" }),
  loss,
  "epoch-loss": epochLoss,
  "learning-rate": learningRate,
  "grad-norm": single("grad_norm", { label: "norm", steep: true }),
  speed: single("images_per_second", { label: "images/s" }),
  wait: single("data_wait", { label: "waiting", share: true }),
  "class-curves": classCurves,
  "per-class": ofEvaluation(perClass),
  confusion: ofEvaluation(confusion),
  "precision-recall": ofEvaluation(precisionRecall),
  f1: ofEvaluation(f1),
};

const COMPARISON_CHARTS: Record<import("../page/pageData.ts").ComparisonChart, Draw<ComparisonData>> = {
  "both-ap": both("val", page.metrics.main),
  "both-loss": both("train", "loss", { smoothed: true }),
  "class-pairs": classPairs,
};

function ofEvaluation(draw: Draw<ShownEvaluation>): Draw<RunData> {
  return ({ evaluation }, width) => (evaluation ? draw(evaluation, width) : [nothing()]);
}

function drawingOf(name: string, width: number): Drawing[] {
  const [{ run, comparison }, runCharts, comparisonCharts] = [page, RUN_CHARTS, COMPARISON_CHARTS];
  if (run && name.startsWith("loss-")) return lossTerm(name.replace("loss-", "loss_"))(run, width);
  if (run && name in runCharts) return runCharts[name as keyof typeof runCharts](run, width);
  if (comparison && name in comparisonCharts)
    return comparisonCharts[name as keyof typeof comparisonCharts](comparison, width);
  throw new Error(`There is no chart ${name}.`);
}

/** Draw a figure's chart as wide as the figure; the caption names it for those who cannot see it. */
function draw(figure: HTMLElement): void {
  const place = figure.querySelector<HTMLElement>(".plot")!;
  const width = Math.floor(place.clientWidth);
  if (width === 0 || place.dataset.width === String(width)) return;
  place.dataset.width = String(width);
  const name = figure.dataset.chart!;
  try {
    place.replaceChildren(...drawingOf(name, Math.max(260, width)));
  } catch (error) {
    reportError(error); // the other charts are still worth seeing
    place.textContent = "This chart could not be drawn.";
  }
  const svg = place.querySelector("svg");
  const title = figure.querySelector("figcaption h3")?.textContent;
  svg?.setAttribute("role", "img");
  if (title) svg?.setAttribute("aria-label", title);
}

const figures = () => [...document.querySelectorAll<HTMLElement>("figure[data-chart]")];
for (const figure of figures()) draw(figure);
let due = 0;
new ResizeObserver(() => {
  cancelAnimationFrame(due);
  due = requestAnimationFrame(() => figures().forEach(draw));
}).observe(document.querySelector(".page")!);

/** Draw some charts again. */
function redraw(names: readonly string[]): void {
  for (const figure of figures().filter(({ dataset }) => names.includes(dataset.chart!))) {
    delete figure.querySelector<HTMLElement>(".plot")!.dataset.width;
    draw(figure);
  }
}

// Pictures grow to the page's width and back.
document.addEventListener("click", ({ target }) => {
  const button = target instanceof Element && target.closest(".pictures button");
  if (!button) return;
  const large = button.closest("figure")!.classList.toggle("large");
  button.setAttribute("aria-expanded", String(large));
});
