// Charts of the training: AP, losses, learning rates, speed.

(() => {
  const { Plot, d3 } = window;
  const {
    base,
    colour,
    compact,
    crosshair,
    data,
    dotsOf,
    grid,
    isNumber,
    legend,
    lineOf,
    noLabel,
    score,
    smooth,
    stageMarks,
    xScale,
    charts,
  } = window.report;

  /** AP over the run: four lines, and the evaluation that was the best. */
  function ap(width) {
    const { val, best } = data;
    const lines = ["AP50", "AP50:95", "AP75", "AR"]
      .map((name, i) => ({
        label: name,
        values: val.values[name],
        stroke: colour([1, 0, 2, 7][i]),
        bold: name === "AP50:95",
      }))
      .filter(({ values }) => values?.some(isNumber));
    const chart = Plot.plot(
      base(width, {
        x: { ...xScale(), domain: [0, data.end] },
        y: {
          ...noLabel,
          domain: [0, Math.min(1, 1.12 * d3.max(lines, ({ values }) => d3.max(values.filter(isNumber))) || 1)],
          ticks: 5,
        },
        marks: [
          grid(),
          ...stageMarks(),
          ...lines.flatMap(({ values, stroke, bold }) => [
            lineOf(val, values, { stroke, strokeWidth: bold ? 2.6 : 1.5 }),
            ...dotsOf(val, values, { fill: stroke }),
          ]),
          ...(best
            ? [
                Plot.dot([best], {
                  x: "x",
                  y: "y",
                  r: 5.5,
                  fill: "var(--panel)",
                  stroke: "var(--c1)",
                  strokeWidth: 2.2,
                }),
              ]
            : []),
          ...crosshair(val, lines, score),
        ],
      }),
    );
    return [legend(lines), chart];
  }

  /** The loss of training: what was recorded, faint, and its moving average. */
  function loss(width) {
    const { train } = data;
    const values = train.values.loss ?? [];
    const calm = smooth(values, Math.max(3, values.length / 20));
    const sorted = d3.sort(values.filter(isNumber));
    const most = Math.max(d3.quantile(sorted, 0.99) ?? 1, d3.max(calm.slice(Math.floor(calm.length / 10))) ?? 1);
    const least = sorted[0] ?? 0;
    return [
      Plot.plot(
        base(width, {
          x: { ...xScale(), domain: [0, data.end] },
          y: { ...noLabel, domain: [least > most / 2 ? least * 0.9 : 0, most * 1.04], clamp: true, ticks: 5 },
          marks: [
            grid(),
            ...stageMarks(),
            lineOf(train, values, { stroke: "var(--c1)", strokeOpacity: 0.28, strokeWidth: 1.2, curve: "linear" }),
            lineOf(train, calm, { stroke: "var(--c1)", strokeWidth: 2.3 }),
            ...crosshair(
              train,
              [
                { label: "loss", values },
                { label: "smoothed", values: calm },
              ],
              compact,
            ),
          ],
        }),
      ),
    ];
  }

  /** One kind of loss in all decoder layers; the last layer is what counts in the end. */
  function lossTerm(width, term) {
    const { train } = data;
    const names = Object.keys(train.values).filter((name) => name === term || name.startsWith(`${term}_`));
    const order = (name) => (name === term ? 99 : name.endsWith("_enc") ? -1 : Number(name.slice(term.length + 1)));
    names.sort((a, b) => order(a) - order(b));
    const lines = names.map((name, i) => {
      const last = name === term;
      const label = last
        ? "last layer"
        : name.endsWith("_enc")
          ? "encoder"
          : `layer ${Number(name.slice(term.length + 1)) + 1}`;
      const opacity = last ? 1 : 0.35 + (0.4 * i) / names.length;
      return {
        label,
        values: smooth(train.values[name], 9),
        stroke: last ? "var(--c1)" : name.endsWith("_enc") ? "var(--c2)" : "var(--c8)",
        opacity,
        last,
      };
    });
    const all = d3.sort(lines.flatMap(({ values }) => values.filter(isNumber)));
    return [
      Plot.plot(
        base(width, {
          height: 190,
          marginLeft: 40,
          x: { ...xScale(), ticks: 4, domain: [0, data.end] },
          y: { ...noLabel, domain: [0, (d3.quantile(all, 0.995) ?? 1) * 1.05], clamp: true, ticks: 4 },
          marks: [
            grid(4),
            ...stageMarks(190),
            ...lines.map(({ values, stroke, last, opacity }) =>
              lineOf(train, values, { stroke, strokeOpacity: opacity, strokeWidth: last ? 2.2 : 1.2 }),
            ),
            ...crosshair(train, lines, compact),
          ],
        }),
      ),
    ];
  }

  function learningRate(width) {
    const { train } = data;
    const lines = [
      { label: "everything but the encoder", values: train.values.lr, stroke: "var(--c1)" },
      { label: "encoder", values: train.values.lr_encoder, stroke: "var(--c2)" },
    ].filter(({ values }) => values?.some(isNumber));
    const same = lines.length === 2 && lines[0].values.every((value, i) => value === lines[1].values[i]);
    const shown = same ? [{ ...lines[0], label: "all weights" }] : lines;
    return [
      legend(shown),
      Plot.plot(
        base(width, {
          height: 210,
          marginLeft: 58,
          x: { ...xScale(), domain: [0, data.end] },
          y: { ...noLabel, ticks: 5, tickFormat: (value) => (value === 0 ? "0" : value.toExponential(1)), zero: true },
          marks: [
            grid(),
            ...stageMarks(),
            ...shown.map(({ values, stroke }) => lineOf(train, values, { stroke, strokeWidth: 2, curve: "linear" })),
            ...crosshair(train, shown, (value) => value.toExponential(3)),
          ],
        }),
      ),
    ];
  }

  /** A single column of training, such as the norm of the gradient. */
  function single(width, name, { log = false, percent = false, label = name } = {}) {
    const { train } = data;
    const values = (train.values[name] ?? []).map((value) => (log && !(value > 0) ? null : value));
    const calm = smooth(values, Math.max(3, values.length / 20));
    const spread = d3.extent(values.filter(isNumber));
    const steep = log && spread[1] > 30 * spread[0]; // less is easier to read on a plain scale
    const most = 1.05 * Math.max(d3.quantile(values.filter(isNumber), 0.995) ?? 1, d3.max(calm.filter(isNumber)) ?? 1);
    const format = percent ? (value) => `${(100 * value).toFixed(1)} %` : compact;
    return [
      Plot.plot(
        base(width, {
          height: 190,
          x: { ...xScale(), ticks: 4, domain: [0, data.end] },
          y: {
            ...noLabel,
            ticks: 4,
            ...(steep ? { type: "log", tickFormat: "~g" } : { domain: [0, most], clamp: true }),
            ...(percent && { tickFormat: "~%", domain: [0, Math.max(0.05, d3.max(values))] }),
          },
          marks: [
            grid(4),
            ...stageMarks(190),
            lineOf(train, values, { stroke: "var(--c1)", strokeOpacity: 0.28, strokeWidth: 1.2, curve: "linear" }),
            lineOf(train, calm, { stroke: "var(--c1)", strokeWidth: 2 }),
            ...crosshair(train, [{ label, values }], format),
          ],
        }),
      ),
    ];
  }

  Object.assign(charts, {
    ap,
    loss,
    "loss-ce": (width) => lossTerm(width, "loss_ce"),
    "loss-bbox": (width) => lossTerm(width, "loss_bbox"),
    "loss-giou": (width) => lossTerm(width, "loss_giou"),
    "learning-rate": learningRate,
    "grad-norm": (width) => single(width, "grad_norm", { log: true, label: "norm" }),
    speed: (width) => single(width, "images_per_second", { label: "images/s" }),
    wait: (width) => single(width, "data_wait", { percent: true, label: "waiting" }),
  });
})();
