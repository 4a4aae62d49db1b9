// Charts with a row for each class: AP of an evaluation, AP over the run, AP of two runs.

/** More classes are in the page's table only. */
const MOST_CLASSES = 60;

type ClassMetrics = import("../page/pageData.ts").ShownEvaluation["perClass"][number];

/** A chart of named rows, each `rowHeight` pixels high where there are few, with room for the names at the left. */
function rowChart(
  width: number,
  { names, rowHeight, y, ...options }: PlotOptions & { names: string[]; rowHeight: number },
): Drawing {
  const longest = d3.max(names, (name) => Math.min(24, name.length)) ?? 0;
  return plot(width, {
    height: 46 + (names.length > 25 ? 18 : rowHeight) * names.length,
    marginLeft: Math.min(170, 20 + 6.5 * longest),
    ...options,
    y: { ...NO_LABEL, domain: names, tickFormat: (name: string) => clip(name, 24), padding: 0.35, ...y },
  });
}

/** AP of each class: a bar for the main metric, a dot for its most lenient form. */
function perClass({ perClass: all }: { perClass: readonly ClassMetrics[] }, width: number): Drawing[] {
  const { main, lenient: more, summary } = page.metrics;
  const rows = all
    .flatMap((row) => (isNumber(row[main]) ? [{ ...row, ap: row[main], lenient: row[more] }] : []))
    .slice(0, MOST_CLASSES);
  type Row = (typeof rows)[number];
  const furthest = ({ ap, lenient }: Row) => Math.max(lenient ?? 0, ap);
  const most = apTop(d3.max(rows, furthest), 1.1);
  const hasRoom = ({ ap }: Row) => ap > 0.2 * most; // in the bar, for its number
  const label = { y: "name", text: ({ ap }: Row) => score(ap), fontSize: 11 };
  const beside = { ...label, x: furthest, textAnchor: "start", dx: 9, fill: "var(--soft)" } as const;
  const within = { ...label, x: "ap", textAnchor: "end", dx: -6, fill: "var(--on-accent)" } as const;
  const title = (row: Row) =>
    [row.name, ...summary.map((one) => `${one}  ${score(row[one] ?? null)}`), `${row.annotations} objects`].join("\n");
  return [
    rowChart(width, {
      ...{ names: rows.map(({ name }) => name), rowHeight: 26, marginRight: 46 },
      x: { ...NO_LABEL, domain: [0, most], ticks: 5 },
      marks: [
        gridX(),
        Plot.barX(rows, { x: "ap", y: "name", fill: "var(--c1)", rx2: 3 }),
        Plot.dot(
          rows.filter(({ lenient }) => isNumber(lenient)),
          { x: "lenient", y: "name", r: 3.5, fill: "var(--c2)" },
        ),
        Plot.text(rows, { ...beside, filter: (row: Row) => !hasRoom(row) }),
        Plot.text(rows, { ...within, filter: hasRoom }),
        rowTip(rows, "ap", title),
      ],
    }),
  ];
}

/** The main metric of the classes over the run: lines where there are few, a field of shades where there are many. */
function classCurves(run: RunData, width: number): Drawing[] {
  const names = Object.keys(run.perClass).filter((name) => run.perClass[name]!.some(isNumber));
  if (names.length > COLOURS.length) return [classField(run, names, width)];
  const lines = names.map((label, i) => ({ label, values: run.perClass[label]!, stroke: colour(i), dots: true }));
  const most = apTop(
    d3.max(lines, ({ values }) => d3.max(values)),
    1.12,
  );
  return [legend(lines), lineChart(width, { lines, at: placesOf(run.val), y: { domain: [0, most] }, tip: {} })];
}

function classField({ val, perClass: values, evaluation }: RunData, names: string[], width: number): Drawing {
  const ranked = evaluation?.perClass.map(({ name }) => name).filter((name) => names.includes(name)) ?? [];
  const shown = (ranked.length > 0 ? ranked : names).slice(0, MOST_CLASSES);
  const cells = shown.flatMap((name) =>
    values[name]!.map((value, i) => ({ name, value, from: val.x[i - 1] ?? 0, to: val.x[i]! })),
  );
  type Cell = (typeof cells)[number];
  const most = d3.max(cells, ({ value }) => value) || 1;
  const place = { x1: "from", x2: "to", y: "name" };
  return rowChart(width, {
    ...{ names: shown, rowHeight: 26, x: runAxis(), y: { padding: 0.12 }, opacity: { type: "identity" } },
    marks: [
      Plot.barX(cells, { ...place, fill: "var(--fainter)" }),
      Plot.barX(
        cells.filter(({ value }) => isNumber(value)),
        { ...place, fill: "var(--c1)", fillOpacity: ({ value }: Cell) => value! / most },
      ),
      Plot.tip(
        cells,
        Plot.pointer({
          ...TIP,
          ...{ x: ({ from, to }: Cell) => (from + to) / 2, y: "name" },
          title: ({ name, value, to }: Cell) =>
            `${name}\n${page.unit} ${Number(to.toFixed(2))}\n${page.metrics.main}  ${score(value)}`,
        }),
      ),
    ],
  });
}

/** The main metric of each class in both runs, joined by a line. */
function classPairs({ runs, classes }: ComparisonData, width: number): Drawing[] {
  const rows = classes.slice(0, MOST_CLASSES);
  if (rows.length === 0) return [nothing()];
  type Row = (typeof rows)[number];
  const [one, two] = runs.map(({ name }) => name);
  const joined = rows.filter(({ change }) => change !== null);
  const furthest = ({ a, b }: Row) => Math.max(a ?? 0, b ?? 0);
  const dots = (run: "a" | "b", fill: string) =>
    Plot.dot(rows, { filter: (row: Row) => isNumber(row[run]), x: run, y: "name", r: 4.5, fill });
  return [
    legend(runs.map(({ name }, i) => ({ label: name, stroke: colour(i) }))),
    rowChart(width, {
      ...{ names: rows.map(({ name }) => name), rowHeight: 28, marginRight: 60 },
      x: { ...NO_LABEL, domain: [0, apTop(d3.max(rows, furthest), 1.1)], ticks: 5 },
      y: { type: "point" },
      marks: [
        gridX(),
        Plot.ruleY(joined, { x1: "a", x2: "b", y: "name", stroke: "var(--soft)", strokeOpacity: 0.6, strokeWidth: 2 }),
        dots("a", colour(0)),
        dots("b", colour(1)),
        Plot.text(joined, {
          ...{ x: furthest, y: "name", textAnchor: "start", dx: 10, fill: "var(--soft)", fontSize: 11 },
          text: ({ change }: Row) => `${change! >= 0 ? "+" : "−"}${Math.abs(change!).toFixed(3)}`,
        }),
        rowTip(
          rows,
          ({ a, b }) => b ?? a,
          ({ name, a, b }) => `${name}\n${one}  ${score(a)}\n${two}  ${score(b)}`,
        ),
      ],
    }),
  ];
}
