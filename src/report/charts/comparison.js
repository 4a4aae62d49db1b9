// Charts of a comparison: `data.runs` are two runs, each with columns of its own.

(() => {
  const { Plot, d3 } = window;
  const {
    base,
    colour,
    compact,
    data,
    dotsOf,
    grid,
    isNumber,
    legend,
    lineOf,
    nameAxis,
    nameRoom,
    noLabel,
    nothing,
    score,
    smooth,
    where,
    xScale,
    charts,
  } = window.report;

  /** A metric of both runs over their length. */
  function both(width, split, name, { smoothed = false } = {}) {
    const lines = data.runs
      .map((run, i) => ({
        run,
        label: run.name,
        stroke: colour(i),
        series: run[split],
        raw: run[split].values[name] ?? [],
      }))
      .filter(({ raw }) => raw.some(isNumber))
      .map((line) => ({ ...line, values: smoothed ? smooth(line.raw, Math.max(3, line.raw.length / 20)) : line.raw }));
    if (lines.length === 0) return [nothing()];
    const all = d3.sort(lines.flatMap(({ values }) => values.filter(isNumber)));
    const most = (smoothed ? d3.quantile(all, 0.99) : all.at(-1)) || 1;
    return [
      legend(lines),
      Plot.plot(
        base(width, {
          x: { ...xScale(), domain: [0, data.end] },
          y: { ...noLabel, ticks: 5, domain: [0, smoothed ? most * 1.05 : Math.min(1, most * 1.12)], clamp: true },
          marks: [
            grid(),
            ...lines.flatMap(({ series, values, raw, stroke }) => [
              ...(smoothed
                ? [lineOf(series, raw, { stroke, strokeOpacity: 0.22, strokeWidth: 1.1, curve: "linear" })]
                : []),
              lineOf(series, values, { stroke, strokeWidth: 2.2 }),
              ...(smoothed ? [] : dotsOf(series, values, { fill: stroke })),
            ]),
            Plot.tip(
              lines.flatMap(({ label, series, values }) =>
                series.x
                  .map((x, i) => ({ label, x, y: values[i], step: series.step[i] }))
                  .filter(({ y }) => isNumber(y)),
              ),
              Plot.pointer({
                x: "x",
                y: "y",
                fill: "var(--panel)",
                stroke: "var(--faint)",
                title: (d) => `${d.label}\n${where(d)}\n${smoothed ? compact(d.y) : score(d.y)}`,
              }),
            ),
          ],
        }),
      ),
    ];
  }

  /** AP50:95 of each class in both runs, joined by a line. */
  function classPairs(width) {
    const rows = data.classes.filter(({ a, b }) => isNumber(a) || isNumber(b)).slice(0, 60);
    if (rows.length === 0) return [nothing()];
    const most = Math.min(1, 1.1 * (d3.max(rows, ({ a, b }) => Math.max(a ?? 0, b ?? 0)) || 1));
    const joined = rows.filter(({ a, b }) => isNumber(a) && isNumber(b));
    return [
      legend(data.runs.map(({ name }, i) => ({ label: name, stroke: colour(i) }))),
      Plot.plot(
        base(width, {
          height: 46 + (rows.length > 25 ? 18 : 28) * rows.length,
          marginLeft: nameRoom(rows),
          marginRight: 60,
          x: { label: null, domain: [0, most], ticks: 5, tickSize: 0 },
          y: { ...nameAxis(rows), type: "point" },
          marks: [
            Plot.gridX({ stroke: "var(--faint)", strokeOpacity: 1 }),
            Plot.ruleY(joined, {
              y: "name",
              x1: "a",
              x2: "b",
              stroke: "var(--soft)",
              strokeOpacity: 0.6,
              strokeWidth: 2,
            }),
            Plot.dot(
              rows.filter(({ a }) => isNumber(a)),
              { x: "a", y: "name", r: 4.5, fill: colour(0) },
            ),
            Plot.dot(
              rows.filter(({ b }) => isNumber(b)),
              { x: "b", y: "name", r: 4.5, fill: colour(1) },
            ),
            Plot.text(joined, {
              x: (d) => Math.max(d.a, d.b),
              y: "name",
              text: (d) => `${d.b >= d.a ? "+" : "−"}${Math.abs(d.b - d.a).toFixed(3)}`,
              textAnchor: "start",
              dx: 10,
              fill: "var(--soft)",
              fontSize: 11,
            }),
            Plot.tip(
              rows,
              Plot.pointerY({
                x: (d) => d.b ?? d.a,
                y: "name",
                fill: "var(--panel)",
                stroke: "var(--faint)",
                title: (d) => `${d.name}\n${data.runs[0].name}  ${score(d.a)}\n${data.runs[1].name}  ${score(d.b)}`,
              }),
            ),
          ],
        }),
      ),
    ];
  }

  Object.assign(charts, {
    "both-ap": (width) => both(width, "val", "AP50:95"),
    "both-ap50": (width) => both(width, "val", "AP50"),
    "both-loss": (width) => both(width, "train", "loss", { smoothed: true }),
    "class-pairs": classPairs,
  });
})();
