// What the charts of a report page share, in the browser. Plain JavaScript: it is put into the page as it is.

(() => {
  const { Plot, d3 } = window;
  const data = JSON.parse(document.getElementById("data").textContent);
  const COLOURS = [
    "var(--c1)",
    "var(--c2)",
    "var(--c3)",
    "var(--c4)",
    "var(--c5)",
    "var(--c6)",
    "var(--c7)",
    "var(--c8)",
  ];
  const colour = (i) => COLOURS[i % COLOURS.length];
  const score = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));
  const compact = (value) =>
    value === 0 ? "0" : Math.abs(value) < 0.01 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  const isNumber = (value) => typeof value === "number";
  const clip = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

  const HEIGHT = 260;
  const base = (width, options) => ({
    width,
    height: HEIGHT,
    marginLeft: 46,
    marginRight: 14,
    marginBottom: 34,
    marginTop: 14,
    style: { background: "none", color: "var(--ink)", overflow: "visible" },
    ...options,
  });
  const grid = (ticks = 5) => Plot.gridY({ stroke: "var(--faint)", strokeOpacity: 1, ticks });
  const X_LABEL = { epoch: "epoch", step: "step" };

  /** Stages of a staged run, every other one lightly shaded, their number on top. */
  function stageMarks(height = HEIGHT) {
    const stages = data.stages ?? [];
    if (stages.length < 2) return [];
    const end = data.end;
    const shown = stages.filter(({ from }) => from < end).map((stage) => ({ ...stage, to: Math.min(stage.to, end) }));
    return [
      Plot.rectX(
        shown.filter((_, i) => i % 2 === 1),
        { x1: "from", x2: "to", fill: "var(--stage)", fillOpacity: 0.07 },
      ),
      Plot.text(shown, {
        x: (d) => (d.from + d.to) / 2,
        frameAnchor: "top",
        dy: -10,
        text: (d) => (height < 200 ? d.number : `stage ${d.number}`),
        fill: "var(--soft)",
        fontSize: 11,
      }),
    ];
  }

  const xScale = (unit = data.unit) => ({
    label: X_LABEL[unit],
    labelAnchor: "right",
    labelArrow: "none",
    tickSize: 0,
    ticks: 6,
    nice: false,
  });
  const noLabel = { label: null, tickSize: 0 };

  /** An axis of class names, and the room at the left that they need. */
  const nameAxis = (rows) => ({
    label: null,
    tickSize: 0,
    domain: rows.map(({ name }) => name),
    tickFormat: (name) => clip(name, 24),
    padding: 0.35,
  });
  const nameRoom = (rows) => Math.min(170, 20 + 6.5 * d3.max(rows, ({ name }) => Math.min(24, name.length)));

  const where = (d) => (data.unit === "epoch" ? `epoch ${Number(d.x.toFixed(2))}, step ${d.step}` : `step ${d.step}`);

  /** One tip for all lines at the place of the pointer. */
  function crosshair(series, lines, format) {
    const at = series.x.map((x, i) => ({ x, step: series.step[i], i }));
    return [
      Plot.ruleX(at, Plot.pointerX({ x: "x", stroke: "var(--soft)", strokeOpacity: 0.5 })),
      Plot.tip(
        at,
        Plot.pointerX({
          x: "x",
          frameAnchor: "top",
          anchor: "top-left",
          dy: 4,
          fill: "var(--panel)",
          stroke: "var(--faint)",
          lineHeight: 1.35,
          title: (d) =>
            [
              where(d),
              ...lines
                .filter(({ values }) => isNumber(values[d.i]))
                .map(({ label, values }) => `${label}  ${format(values[d.i])}`),
            ].join("\n"),
        }),
      ),
    ];
  }

  /** Moving average of both sides, exponential, so that the curve does not lag behind what it follows. */
  function smooth(values, span) {
    const alpha = 2 / (span + 1);
    const pass = (list) => {
      let mean = null;
      return list.map((value) => {
        if (isNumber(value)) mean = mean === null ? value : mean + alpha * (value - mean);
        return mean;
      });
    };
    const before = pass(values);
    const after = pass([...values].reverse()).reverse();
    return values.map((value, i) => (isNumber(value) ? (before[i] + after[i]) / 2 : null));
  }

  function legend(entries) {
    const list = document.createElement("ul");
    list.className = "legend";
    for (const { label, stroke, opacity = 1, strokeDasharray: dashes } of entries) {
      const item = document.createElement("li");
      const line = document.createElement("i");
      const style = dashes === undefined ? "solid" : Number.parseFloat(dashes) < 3 ? "dotted" : "dashed";
      line.style.borderTop = `3px ${style} ${stroke}`;
      line.style.opacity = String(opacity);
      item.append(line, label);
      list.append(item);
    }
    return list;
  }

  const lineOf = (series, values, options) =>
    Plot.line(
      series.x.map((x, i) => ({ x, y: values[i] })).filter(({ y }) => isNumber(y)),
      {
        x: "x",
        y: "y",
        strokeWidth: 1.8,
        strokeLinejoin: "round",
        curve: series.x.length < 60 ? "monotone-x" : "linear",
        ...options,
      },
    );
  const dotsOf = (series, values, options) =>
    series.x.length > 40
      ? []
      : [
          Plot.dot(
            series.x.map((x, i) => ({ x, y: values[i] })).filter(({ y }) => isNumber(y)),
            { x: "x", y: "y", r: 2.2, ...options },
          ),
        ];

  function pointerTip(xs, lines, label) {
    const at = xs.map((x, i) => ({ x, i }));
    return [
      Plot.ruleX(at, Plot.pointerX({ x: "x", stroke: "var(--soft)", strokeOpacity: 0.5 })),
      Plot.tip(
        at,
        Plot.pointerX({
          x: "x",
          frameAnchor: "bottom",
          anchor: "bottom-left",
          dy: -4,
          fill: "var(--panel)",
          stroke: "var(--faint)",
          lineHeight: 1.35,
          title: (d) =>
            [
              `${label} ${d.x.toFixed(2)}`,
              ...lines.map(({ label: name, values }) => `${name}  ${score(values[d.i])}`),
            ].join("\n"),
        }),
      ),
    ];
  }

  function nothing() {
    const text = document.createElement("p");
    text.className = "soft";
    text.textContent = "Nothing was recorded.";
    return text;
  }

  /** `charts` has a function by the name of each chart: from a width in pixels to the elements to show. */
  window.report = {
    charts: {},
    base,
    clip,
    colour,
    COLOURS,
    compact,
    crosshair,
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
    pointerTip,
    score,
    smooth,
    stageMarks,
    where,
    X_LABEL,
    xScale,
  };
})();
