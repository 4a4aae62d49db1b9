// The confusion matrix.

type Confusion = import("../page/pageData.ts").ShownEvaluation["confusion"];

/** `i` and `j`: row and column, the background last. `truth` and `taken`: the keys of their labels. */
type ConfusionCell = { i: number; j: number; truth: string; taken: string; count: number; share: number };

/** What happens when a cell of the matrix is chosen. */
const cellChosen: { act?: (cell: { truth: number; taken: number }, text: string) => void } = {};

/** Rows are true classes, shaded by their share of the row. */
function confusion(evaluation: ShownEvaluation, width: number): Drawing[] {
  const matrix = confusionNow(evaluation);
  const names = [...matrix.classes, "background"];
  const n = names.length;
  const letters = width < 500 ? 12 : 20;
  const longest = d3.max(names, (name) => Math.min(letters, name.length))!;
  const marginLeft = Math.min(150, 24 + 6.6 * longest);
  const room = (marginRight: number) => Math.max(13, Math.min(64, (width - marginLeft - marginRight) / n));
  const slanted = 6.6 * longest > room(14); // else names would run into each other
  const marginRight = slanted ? Math.min(90, 4.4 * longest) : 14;
  const size = room(marginRight);
  const marginTop = slanted ? Math.min(130, 30 + 5 * longest) : 44;
  const axis = { labelArrow: "none", tickSize: 0, domain: names.map((_, i) => `c${i}`), padding: 0.04 } as const;
  const nameOf = (length: number) => (_: string, i: number) => clip(names[i]!, length);
  const chart = plot(marginLeft + marginRight + size * n, {
    ...{ height: marginTop + 16 + size * n, marginLeft, marginRight, marginTop, marginBottom: 16 },
    x: {
      ...{ ...axis, axis: "top", label: "taken for", labelAnchor: "left" },
      ...{ tickFormat: nameOf(letters), tickRotate: slanted ? -50 : 0 },
    },
    y: { ...axis, label: "truth", tickFormat: nameOf(letters) },
    opacity: { type: "identity" },
    marks: confusionMarks(confusionCells(matrix), names, size),
  });
  chart.addEventListener("click", () => {
    const { value: cell } = chart as Element & { value?: ConfusionCell | null }; // where the pointer is
    if (cell) cellChosen.act?.({ truth: cell.i, taken: cell.j }, confusionText(cell, names).split("\n")[0]!);
  });
  if (page.run?.browser) chart.classList.add("choice");
  const scroll = document.createElement("div");
  scroll.className = "scroll";
  scroll.tabIndex = 0;
  scroll.append(chart);
  return [scroll];
}

function confusionCells({ classes, counts }: Confusion): ConfusionCell[] {
  const background = classes.length;
  const objects = counts.map((row) => d3.sum(row));
  return counts
    .flatMap((row, i) =>
      row.map((count, j) => {
        // what is taken for a class without being anything is measured by how much there is of the class
        const whole = i === background ? Math.max(1, objects[j]!) : objects[i]!;
        return { i, j, truth: `c${i}`, taken: `c${j}`, count, share: count === 0 ? 0 : count / whole };
      }),
    )
    .filter(({ i, j }) => !(i === background && j === background));
}

function confusionMarks(cells: readonly ConfusionCell[], names: readonly string[], size: number): Marks {
  const place = { x: "taken", y: "truth" };
  const counted = cells.filter(({ count }) => count > 0);
  return [
    Plot.cell(cells, { ...place, fill: "var(--fainter)", rx: 2 }),
    Plot.cell(counted, {
      ...{ ...place, rx: 2, fill: ({ i, j }: ConfusionCell) => (i === j ? "var(--c1)" : "var(--c2)") },
      fillOpacity: ({ share }: ConfusionCell) => 0.08 + 0.92 * Math.min(1, share),
    }),
    Plot.text(size >= 22 ? counted : [], {
      ...{ ...place, fontSize: size < 30 ? 9.5 : 12 },
      text: ({ count }: ConfusionCell) => (count >= 10000 ? d3.format(".2s")(count) : String(count)),
      fill: ({ i, j, share }: ConfusionCell) =>
        share <= 0.5 ? "var(--ink)" : i === j ? "var(--on-accent)" : "var(--on-warm)",
    }),
    Plot.tip(cells, Plot.pointer({ ...TIP, ...place, title: (cell: ConfusionCell) => confusionText(cell, names) })),
  ];
}

function confusionText({ i, j, count, share }: ConfusionCell, names: readonly string[]): string {
  const background = names.length - 1;
  if (i === background)
    return `${count} × nothing, taken for ${names[j]}\n${share.toFixed(2)} for each object of the class`;
  const fate = j === background ? "not found" : i === j ? "found" : `taken for ${names[j]}`;
  return `${count} × ${names[i]}, ${fate}\n${percent(share)} of the row`;
}
