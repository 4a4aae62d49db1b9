// Charts of an evaluation: classes, confusion, precision and recall.

(() => {
  const { Plot, d3 } = window;
  const {
    base,
    clip,
    colour,
    COLOURS,
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
    pointerTip,
    score,
    X_LABEL,
    xScale,
    charts,
  } = window.report;

  /** AP of each class: a bar for AP50:95, a dot for AP50. */
  function perClass(width) {
    const rows = data.evaluation.perClass.filter((row) => isNumber(row["AP50:95"])).slice(0, 60);
    const left = nameRoom(rows);
    const most = Math.min(1, 1.1 * (d3.max(rows, (row) => Math.max(row.AP50 ?? 0, row["AP50:95"])) || 1));
    const inside = (d) => d["AP50:95"] > 0.2 * most; // the bar has room for its number
    const label = { y: "name", text: (d) => score(d["AP50:95"]), fontSize: 11 };
    const step = rows.length > 25 ? 18 : 26;
    return [
      Plot.plot(
        base(width, {
          height: 46 + step * rows.length,
          marginLeft: left,
          marginRight: 46,
          x: { label: null, domain: [0, most], ticks: 5, tickSize: 0 },
          y: nameAxis(rows),
          marks: [
            Plot.gridX({ stroke: "var(--faint)", strokeOpacity: 1 }),
            Plot.barX(rows, { x: "AP50:95", y: "name", fill: "var(--c1)", rx2: 3 }),
            Plot.dot(
              rows.filter(({ AP50 }) => isNumber(AP50)),
              { x: "AP50", y: "name", r: 3.5, fill: "var(--c2)" },
            ),
            Plot.text(
              rows.filter((d) => !inside(d)),
              {
                ...label,
                x: (d) => Math.max(d.AP50 ?? 0, d["AP50:95"]),
                textAnchor: "start",
                dx: 9,
                fill: "var(--soft)",
              },
            ),
            Plot.text(rows.filter(inside), {
              ...label,
              x: "AP50:95",
              textAnchor: "end",
              dx: -6,
              fill: "var(--on-accent)",
            }),
            Plot.tip(
              rows,
              Plot.pointerY({
                x: "AP50:95",
                y: "name",
                fill: "var(--panel)",
                stroke: "var(--faint)",
                title: (d) =>
                  `${d.name}\nAP50:95  ${score(d["AP50:95"])}\nAP50  ${score(d.AP50)}\nAP75  ${score(d.AP75)}\nAR  ${score(d.AR)}\n${d.annotations} objects`,
              }),
            ),
          ],
        }),
      ),
    ];
  }

  /** AP50:95 of the classes over the run: lines where there are few, a field of shades where there are many. */
  function classCurves(width) {
    const { val } = data;
    const names = Object.keys(data.perClass).filter((name) => data.perClass[name].some(isNumber));
    if (names.length <= COLOURS.length) {
      const lines = names.map((name, i) => ({ label: name, values: data.perClass[name], stroke: colour(i) }));
      const most = d3.max(lines, ({ values }) => d3.max(values.filter(isNumber))) || 1;
      return [
        legend(lines.map((line) => ({ ...line, label: clip(line.label, 30) }))),
        Plot.plot(
          base(width, {
            x: { ...xScale(), domain: [0, data.end] },
            y: { ...noLabel, ticks: 5, domain: [0, Math.min(1, 1.12 * most)] },
            marks: [
              grid(),
              ...lines.flatMap(({ values, stroke }) => [
                lineOf(val, values, { stroke }),
                ...dotsOf(val, values, { fill: stroke }),
              ]),
              ...crosshair(val, lines, score),
            ],
          }),
        ),
      ];
    }
    const order = data.evaluation
      ? data.evaluation.perClass.map(({ name }) => name).filter((name) => names.includes(name))
      : names;
    const shown = (order.length > 0 ? order : names).slice(0, 60);
    const cells = shown.flatMap((name) =>
      data.perClass[name].map((value, i) => ({ name, value, from: i === 0 ? 0 : val.x[i - 1], to: val.x[i] })),
    );
    const most = d3.max(cells, ({ value }) => value ?? 0) || 1;
    return [
      Plot.plot(
        base(width, {
          height: 50 + (shown.length > 25 ? 18 : 26) * shown.length,
          marginLeft: Math.min(170, 20 + 6.2 * d3.max(shown, (name) => Math.min(24, name.length))),
          x: { ...xScale(), domain: [0, data.end] },
          y: { label: null, tickSize: 0, domain: shown, tickFormat: (name) => clip(name, 24), padding: 0.12 },
          opacity: { type: "identity" },
          marks: [
            Plot.barX(cells, { x1: "from", x2: "to", y: "name", fill: "var(--fainter)" }),
            Plot.barX(
              cells.filter(({ value }) => isNumber(value)),
              { x1: "from", x2: "to", y: "name", fill: "var(--c1)", fillOpacity: (d) => d.value / most },
            ),
            Plot.tip(
              cells,
              Plot.pointer({
                x: (d) => (d.from + d.to) / 2,
                y: "name",
                fill: "var(--panel)",
                stroke: "var(--faint)",
                title: (d) => `${d.name}\n${X_LABEL[data.unit]} ${Number(d.to.toFixed(2))}\nAP50:95  ${score(d.value)}`,
              }),
            ),
          ],
        }),
      ),
    ];
  }

  /** Rows are true classes, shaded by their share of the row. */
  function confusion(width) {
    const { classes, counts } = data.evaluation.confusion;
    const labels = [...classes.map((name, i) => ({ key: `c${i}`, name })), { key: "background", name: "background" }];
    const objects = counts.map((row) => d3.sum(row));
    // what is taken for a class without being anything is measured by how much there is of the class
    const whole = (i, j) => (i === classes.length ? Math.max(1, objects[j]) : objects[i]);
    const cells = counts
      .flatMap((row, i) => {
        return row.map((count, j) => ({
          i,
          j,
          true: labels[i].key,
          taken: labels[j].key,
          count,
          share: count === 0 ? 0 : count / whole(i, j),
        }));
      })
      .filter(({ i, j }) => !(i === classes.length && j === classes.length));
    const nameOf = new Map(labels.map(({ key, name }) => [key, name]));
    const longest = d3.max(labels, ({ name }) => Math.min(20, name.length));
    const marginLeft = Math.min(150, 24 + 6.6 * longest);
    const marginTop = labels.length > 6 ? Math.min(130, 30 + 5 * longest) : 44;
    const least = labels.length > 30 ? 13 : labels.length > 12 ? 24 : 36;
    const size = Math.max(least, Math.min(64, (width - marginLeft - 14) / labels.length));
    const numbers = size >= 22;
    const chart = Plot.plot(
      base(marginLeft + 14 + size * labels.length, {
        height: marginTop + 16 + size * labels.length,
        marginLeft,
        marginTop,
        marginBottom: 16,
        x: {
          axis: "top",
          label: "taken for",
          labelArrow: "none",
          labelAnchor: "left",
          tickSize: 0,
          domain: labels.map(({ key }) => key),
          tickFormat: (key) => clip(nameOf.get(key), labels.length > 6 ? 20 : 12),
          tickRotate: labels.length > 6 ? -50 : 0,
          padding: 0.04,
        },
        y: {
          label: "truth",
          labelArrow: "none",
          tickSize: 0,
          domain: labels.map(({ key }) => key),
          tickFormat: (key) => clip(nameOf.get(key), 20),
          padding: 0.04,
        },
        opacity: { type: "identity" },
        marks: [
          Plot.cell(cells, { x: "taken", y: "true", fill: "var(--fainter)", rx: 2 }),
          Plot.cell(
            cells.filter(({ count }) => count > 0),
            {
              x: "taken",
              y: "true",
              fill: (d) => (d.i === d.j ? "var(--c1)" : "var(--c2)"),
              fillOpacity: (d) => 0.08 + 0.92 * Math.min(1, d.share),
              rx: 2,
            },
          ),
          ...(numbers
            ? [
                Plot.text(
                  cells.filter(({ count }) => count > 0),
                  {
                    x: "taken",
                    y: "true",
                    text: (d) => (d.count >= 10000 ? d3.format(".2s")(d.count) : String(d.count)),
                    fill: (d) => (d.share <= 0.5 ? "var(--ink)" : d.i === d.j ? "var(--on-accent)" : "var(--on-warm)"),
                    fontSize: size < 30 ? 9.5 : 12,
                  },
                ),
              ]
            : []),
          Plot.tip(
            cells,
            Plot.pointer({
              x: "taken",
              y: "true",
              fill: "var(--panel)",
              stroke: "var(--faint)",
              title: (d) => confusionText(d, nameOf, classes.length),
            }),
          ),
        ],
      }),
    );
    const scroll = document.createElement("div");
    scroll.className = "scroll";
    scroll.tabIndex = 0;
    scroll.append(chart);
    return [scroll];
  }

  function confusionText({ i, j, count, share, true: truth, taken }, nameOf, background) {
    if (j === background) return `${count} × ${nameOf.get(truth)}, not found\n${(100 * share).toFixed(1)} % of the row`;
    if (i === background)
      return `${count} × nothing, taken for ${nameOf.get(taken)}\n${share.toFixed(2)} for each object of the class`;
    return `${count} × ${nameOf.get(truth)}, ${i === j ? "found" : `taken for ${nameOf.get(taken)}`}\n${(100 * share).toFixed(1)} % of the row`;
  }

  function precisionRecall(width) {
    const { recalls, mean, classes } = data.evaluation.precisionRecall;
    const series = { x: recalls, step: recalls, epoch: recalls };
    const few = classes.length > 1 && classes.length <= 6;
    const lines = [
      ...(classes.length > 1
        ? classes.map(({ name, precision }, i) => ({
            label: name,
            values: precision,
            stroke: few ? colour(i + 1) : "var(--c8)",
            strokeWidth: few ? 1.4 : 0.9,
            strokeOpacity: few ? 0.9 : 0.35,
          }))
        : []),
      { label: "mean, IoU 0.50", values: mean["0.50"], stroke: "var(--c1)", strokeWidth: 2.6 },
      { label: "mean, IoU 0.75", values: mean["0.75"], stroke: "var(--c1)", strokeWidth: 1.6, strokeDasharray: "5 3" },
      {
        label: "mean, IoU 0.50:0.95",
        values: mean["0.50:0.95"],
        stroke: "var(--c1)",
        strokeWidth: 1.6,
        strokeDasharray: "1.5 3",
      },
    ];
    const told = few || classes.length <= 1 ? lines : lines.slice(-3);
    const chart = Plot.plot(
      base(width, {
        height: 320,
        x: { label: "recall", labelArrow: "none", domain: [0, 1], tickSize: 0, ticks: 5 },
        y: { ...noLabel, domain: [0, 1], ticks: 5 },
        marks: [
          grid(),
          ...lines.map(({ values, label: _, ...style }) => lineOf(series, values, { curve: "step-before", ...style })),
          ...pointerTip(recalls, told, "recall"),
        ],
      }),
    );
    const entries =
      few || classes.length <= 1
        ? lines
        : [...lines.slice(-3), { label: "each class, IoU 0.50", stroke: "var(--c8)", opacity: 0.5 }];
    return [legend(entries.map((line) => ({ ...line, label: clip(line.label, 30) }))), chart];
  }

  /** F1, precision and recall against the confidence from which detections count. */
  function f1(width) {
    const { f1Sweep: sweep, threshold } = data.evaluation;
    const xs = sweep.map((point) => point.threshold);
    const series = { x: xs, step: xs, epoch: xs };
    const counts = sweep.map(({ recall }) => recall > 0); // where nothing is found, precision says nothing
    const column = (name) => sweep.map((point, i) => (counts[i] ? point[name] : null));
    const lines = [
      { label: "F1", values: column("f1"), stroke: "var(--c1)", strokeWidth: 2.6 },
      { label: "precision", values: column("precision"), stroke: "var(--c3)" },
      { label: "recall", values: column("recall"), stroke: "var(--c2)" },
    ];
    const chart = Plot.plot(
      base(width, {
        height: 320,
        x: { label: "confidence threshold", labelArrow: "none", domain: [0, 1], tickSize: 0, ticks: 5 },
        y: { ...noLabel, domain: [0, 1], ticks: 5 },
        marks: [
          grid(),
          Plot.ruleX([threshold], { stroke: "var(--soft)", strokeDasharray: "3 3" }),
          Plot.text([threshold], {
            x: (d) => d,
            frameAnchor: "top",
            dx: 6,
            textAnchor: threshold > 0.7 ? "end" : "start",
            text: (d) => `best at ${d.toFixed(2)}`,
            fill: "var(--soft)",
            fontSize: 11,
          }),
          ...lines.map(({ values, stroke, strokeWidth = 1.5 }) => lineOf(series, values, { stroke, strokeWidth })),
          ...pointerTip(xs, lines, "confidence"),
        ],
      }),
    );
    return [legend(lines), chart];
  }

  Object.assign(charts, {
    "per-class": perClass,
    "class-curves": classCurves,
    confusion,
    "precision-recall": precisionRecall,
    f1,
  });
})();
