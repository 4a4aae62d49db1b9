// Charts of the training: AP, losses, learning rates, speed.

type RunData = import("../page/pageData.ts").RunData;

const SMALL = 190;

/** The order of colours that leaves recall far from precision. */
const AP_COLOURS = [0, 1, 2, 7, 3, 4, 5, 6];

/** AP of boxes or of masks over the run: a line for each number of the summary, and the evaluation that was the best. */
function apCurves({ masks }: { masks: boolean }): (run: RunData, width: number) => Drawing[] {
  return ({ val, best }, width) => {
    const names = page.metrics.summary.filter((label) => label.startsWith("segm ") === masks);
    const lines = names
      .map((label, i) => ({
        ...{ label, stroke: colour(AP_COLOURS[i % AP_COLOURS.length]!), dots: true },
        strokeWidth: i === 0 ? 2.6 : 1.5,
        values: val.values[label] ?? [],
      }))
      .filter(({ values }) => values.some(isNumber));
    return apChart(width, { lines, val, best: names[0] === page.metrics.main ? best : null });
  };
}

function apChart(
  width: number,
  { lines, val, best }: Pick<RunData, "val" | "best"> & { lines: (Line & { dots: boolean })[] },
): Drawing[] {
  const ring = { r: 5.5, fill: "var(--panel)", stroke: "var(--c1)", strokeWidth: 2.2 };
  const chart = lineChart(width, {
    ...{ lines, at: placesOf(val), tip: {}, behind: stageMarks(HEIGHT) },
    y: {
      domain: [
        0,
        apTop(
          d3.max(lines, ({ values }) => d3.max(values)),
          1.12,
        ),
      ],
    },
    front: best ? [Plot.dot([best], { x: "x", y: "y", ...ring })] : [],
  });
  return [legend(lines), chart];
}

/** Columns of the evaluations over the run, by what they are called; those that were not measured are left out. */
function valCurves(columns: Record<string, string>): (run: RunData, width: number) => Drawing[] {
  return ({ val }, width) => {
    const lines = Object.entries(columns)
      .map(([label, name], i) => ({
        ...{ label, stroke: colour(AP_COLOURS[i]!), strokeWidth: 1.8, dots: true },
        values: val.values[name] ?? [],
      }))
      .filter(({ values }) => values.some(isNumber));
    return apChart(width, { lines, val, best: null });
  };
}

/** A column as it was recorded, faint, and its moving average. */
function faintAndCalm(values: Values, label: string): { calm: Values; lines: Line[] } {
  const calm = smooth(values);
  const lines: Line[] = [
    { label, values, stroke: "var(--c1)", strokeOpacity: 0.28, strokeWidth: 1.2, curve: "linear" },
    { label: "smoothed", values: calm, stroke: "var(--c1)", strokeWidth: 2.3 },
  ];
  return { calm, lines };
}

function loss({ train }: RunData, width: number): Drawing[] {
  const values = train.values.loss ?? [];
  const { calm, lines } = faintAndCalm(values, "loss");
  const settled = calm.slice(Math.floor(calm.length / 10));
  const most = Math.max(d3.quantile(values, 0.99) ?? 1, d3.max(settled) ?? 1);
  const least = d3.min(values) ?? 0;
  return [
    lineChart(width, {
      ...{ lines, at: placesOf(train), tip: { format: compact }, behind: stageMarks(HEIGHT) },
      y: { domain: [least > most / 2 ? least * 0.9 : 0, most * 1.04], clamp: true },
    }),
  ];
}

/** The loss of training as the mean of each epoch, and that of the validation images, where they are known. */
function epochLoss({ losses }: RunData, width: number): Drawing[] {
  const line = (label: string, stroke: string): Line => {
    return { label, values: losses.values[label] ?? [], stroke, strokeWidth: 2, dots: true };
  };
  const lines = [line("training", "var(--c1)"), line("validation", "var(--c2)")].filter(({ values }) =>
    values.some(isNumber),
  );
  const values = lines.flatMap((one) => one.values);
  const most = d3.quantile(values, 0.99) ?? 1; // a first epoch far above all others does not flatten them
  const least = d3.min(values) ?? 0;
  return [
    legend(lines),
    lineChart(width, {
      ...{ lines, at: placesOf(losses), tip: { format: compact }, behind: stageMarks(HEIGHT) },
      y: { domain: [least > most / 2 ? least * 0.9 : 0, most * 1.04], clamp: true },
    }),
  ];
}

/** One kind of loss in all decoder layers; the last layer is what counts in the end. */
function lossTerm(term: string): (run: RunData, width: number) => Drawing[] {
  const layer = (name: string) =>
    name === term ? Number.POSITIVE_INFINITY : name.endsWith("_enc") ? -1 : Number(name.slice(term.length + 1));
  return ({ train }, width) => {
    const names = Object.keys(train.values)
      .filter(
        (name) => name === term || (name.startsWith(`${term}_`) && /^(\d+|enc)$/.test(name.slice(term.length + 1))),
      )
      .sort((a, b) => layer(a) - layer(b));
    const lines = names.map((name, i): Line => {
      const values = smooth(train.values[name]!, 9);
      if (name === term) return { label: "last layer", values, stroke: "var(--c1)", strokeWidth: 2.2 };
      const faint = { values, strokeOpacity: 0.35 + (0.4 * i) / names.length, strokeWidth: 1.2 };
      if (layer(name) < 0) return { label: "encoder", stroke: "var(--c2)", ...faint };
      return { label: `layer ${layer(name) + 1}`, stroke: "var(--c8)", ...faint };
    });
    const most = d3.quantile(
      lines.flatMap(({ values }) => values),
      0.995,
    );
    return [
      lineChart(width, {
        ...{ lines, at: placesOf(train), tip: { format: compact }, behind: stageMarks(SMALL) },
        ...{ height: SMALL, marginLeft: 40, ticks: 4, x: { ...runAxis(), ticks: 4 } },
        y: { domain: [0, (most ?? 1) * 1.05], clamp: true },
      }),
    ];
  };
}

function learningRate({ train }: RunData, width: number): Drawing[] {
  const { lr = [], lr_encoder = [] } = train.values;
  const style = { strokeWidth: 2, curve: "linear" } as const;
  const lines: Line[] = [
    { label: "everything but the encoder", values: lr, stroke: "var(--c1)", ...style },
    { label: "encoder", values: lr_encoder, stroke: "var(--c2)", ...style },
  ].filter(({ values }) => values.some(isNumber));
  const same = lines.length === 2 && lr.every((value, i) => value === lr_encoder[i]);
  const shown = same ? [{ ...lines[0]!, label: "all weights" }] : lines;
  return [
    legend(shown),
    lineChart(width, {
      ...{ lines: shown, at: placesOf(train), tip: { format: (value) => value.toExponential(3) } },
      ...{ height: 210, marginLeft: 58, behind: stageMarks(210) },
      y: { zero: true, tickFormat: (value: number) => (value === 0 ? "0" : value.toExponential(1)) },
    }),
  ];
}

/** A single column of training. Where it is `steep`, its axis is logarithmic if the column needs that. */
function single(
  name: string,
  { label, steep = false, share = false }: { label: string; steep?: boolean; share?: boolean },
): (run: RunData, width: number) => Drawing[] {
  return ({ train }, width) => {
    const values = (train.values[name] ?? []).map((value) => (steep && !(value! > 0) ? null : value));
    const { calm, lines } = faintAndCalm(values, label);
    const [least, largest] = d3.extent(values);
    const most = 1.05 * Math.max(d3.quantile(values, 0.995) ?? 1, d3.max(calm) ?? 1);
    const logarithmic = steep && least !== undefined && largest > 30 * least; // less is easier to read on a plain scale
    const y: Scale = logarithmic
      ? { type: "log", tickFormat: "~g" }
      : share
        ? { domain: [0, Math.max(0.05, largest ?? 0)], clamp: true, tickFormat: "~%" }
        : { domain: [0, most], clamp: true };
    return [
      lineChart(width, {
        ...{ lines, at: placesOf(train), behind: stageMarks(SMALL), y },
        ...{ height: SMALL, ticks: 4, x: { ...runAxis(), ticks: 4 } },
        tip: { lines: lines.slice(0, 1), format: share ? percent : compact },
      }),
    ];
  };
}
