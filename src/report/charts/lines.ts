// Charts of lines over a common axis, with one tip for all of them at the place of the pointer.

type Line = LegendEntry & {
  /** At the places of the chart's `at`; null where there is none, which the line bridges. */
  values: Values;
  strokeWidth?: number;
  curve?: "linear" | "step-before";
  /** Dots on the line, where they are few. */
  dots?: boolean;
};

type Place = { x: number; step: number };

type LineChart = {
  lines: readonly Line[];
  /** Places of the values, in the order of x. */
  at: readonly Place[];
  x?: Scale;
  y?: Scale;
  height?: number;
  marginLeft?: number;
  ticks?: number;
  /** Between the grid and the lines; over the lines. */
  behind?: Marks;
  front?: Marks;
  tip: LineTip;
};

type LineTip = {
  /** Those of the lines that the tip names, where it does not name all. */
  lines?: readonly Line[];
  heading?: (place: Place) => string;
  format?: (value: number) => string;
  anchor?: "top" | "bottom";
};

const placesOf = ({ x, step }: { x: number[]; step: number[] }): Place[] =>
  x.map((value, i) => ({ x: value, step: step[i]! }));

function lineChart(width: number, { lines, at, behind = [], front = [], tip, ticks = 5, ...options }: LineChart) {
  return plot(width, {
    ...options,
    x: options.x ?? runAxis(),
    y: { ...NO_LABEL, ticks, ...options.y },
    marks: [
      gridY(ticks),
      ...behind,
      ...lines.flatMap((line) => lineMarks(at, line)),
      ...front,
      ...crosshair(at, { lines, ...tip }),
    ],
  });
}

function lineMarks(at: readonly Place[], { values, dots = false, label: _, ...style }: Line): Marks {
  const points = at.map(({ x }, i) => ({ x, y: values[i] })).filter(({ y }) => isNumber(y));
  const curve = at.length < 60 ? "monotone-x" : "linear";
  return [
    Plot.line(points, { x: "x", y: "y", strokeWidth: 1.8, strokeLinejoin: "round", curve, ...style }),
    ...(dots && at.length <= 40 ? [Plot.dot(points, { x: "x", y: "y", r: 2.2, fill: style.stroke })] : []),
  ];
}

function crosshair(
  at: readonly Place[],
  { lines, heading = where, format = score, anchor = "top" }: LineTip & { lines: readonly Line[] },
): Marks {
  const places = at.map((place, i) => ({ ...place, i }));
  const title = ({ i, ...place }: (typeof places)[number]) =>
    [
      heading(place),
      ...lines.map(({ label, values }) => `${label}  ${isNumber(values[i]) ? format(values[i]) : "–"}`),
    ].join("\n");
  return [
    Plot.ruleX(places, Plot.pointerX({ x: "x", stroke: "var(--soft)", strokeOpacity: 0.5 })),
    Plot.tip(
      places,
      Plot.pointerX({
        ...{ ...TIP, x: "x", title, lineHeight: 1.35 },
        ...{ frameAnchor: anchor, anchor: `${anchor}-left`, dy: anchor === "top" ? 4 : -4 },
      }),
    ),
  ];
}
