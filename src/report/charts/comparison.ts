// Curves of two runs in one chart.

type ComparisonData = import("../page/pageData.ts").ComparisonData;

/** A metric of both runs over their length. Where it is `smoothed`, what was recorded is faint. */
function both(
  split: "train" | "val",
  name: string,
  { smoothed = false } = {},
): (comparison: ComparisonData, width: number) => Drawing[] {
  return ({ runs }, width) => {
    const lines = runs
      .map((run, i) => {
        const recorded = run[split].values[name] ?? [];
        const values = smoothed ? smooth(recorded) : recorded;
        return { label: run.name, stroke: colour(i), at: placesOf(run[split]), recorded, values };
      })
      .filter(({ recorded }) => recorded.some(isNumber));
    if (lines.length === 0) return [nothing()];
    const all = lines.flatMap(({ values }) => values);
    const most = smoothed ? 1.05 * (d3.quantile(all, 0.99) || 1) : apTop(d3.max(all), 1.12);
    const points = lines.flatMap(({ label, at, values }) =>
      at.flatMap((place, i) => (isNumber(values[i]) ? [{ ...place, label, y: values[i] }] : [])),
    );
    const format = smoothed ? compact : score;
    const title = (point: (typeof points)[number]) => `${point.label}\n${where(point)}\n${format(point.y)}`;
    const faint = { strokeOpacity: 0.22, strokeWidth: 1.1, curve: "linear" } as const;
    const chart = plot(width, {
      x: runAxis(),
      y: { ...NO_LABEL, ticks: 5, domain: [0, most], clamp: true },
      marks: [
        gridY(5),
        ...lines.flatMap(({ at, recorded, values, ...line }) => [
          ...(smoothed ? lineMarks(at, { ...line, ...faint, values: recorded }) : []),
          ...lineMarks(at, { ...line, values, strokeWidth: 2.2, dots: !smoothed }),
        ]),
        Plot.tip(points, Plot.pointer({ ...TIP, x: "x", y: "y", title })),
      ],
    });
    return [legend(lines), chart];
  };
}
