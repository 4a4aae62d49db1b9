// Charts of what depends on the confidence from which detections count: precision by recall, and F1.

type ShownEvaluation = import("../page/pageData.ts").ShownEvaluation;

const TALL = 320;

function shareTip(label: string): LineTip {
  return { heading: ({ x }) => `${label} ${x.toFixed(2)}`, anchor: "bottom" };
}

const sharePlaces = (x: number[]): Place[] => x.map((value) => ({ x: value, step: 0 }));

function precisionRecall({ precisionRecall: curves }: ShownEvaluation, width: number): Drawing[] {
  const { recalls, mean, classes } = curves;
  const few = classes.length <= 6;
  const style = few ? { strokeWidth: 1.4, strokeOpacity: 0.9 } : { strokeWidth: 0.9, strokeOpacity: 0.35 };
  const ofClasses = classes.map(({ name, precision }, i) => {
    return { label: name, values: precision, stroke: few ? colour(i + 1) : "var(--c8)", ...style };
  });
  const means = (
    [
      ["0.50", { strokeWidth: 2.6 }],
      ["0.75", { strokeWidth: 1.6, strokeDasharray: "5 3" }],
      ["0.50:0.95", { strokeWidth: 1.6, strokeDasharray: "1.5 3" }],
    ] as const
  ).map(([iou, line]) => ({ label: `mean, IoU ${iou}`, values: mean?.[iou] ?? [], stroke: "var(--c1)", ...line }));
  const lines = [...(classes.length > 1 ? ofClasses : []), ...means].map(
    (line): Line => ({ curve: "step-before", ...line }),
  );
  return [
    legend(few ? lines : [...means, { label: "each class, IoU 0.50", stroke: "var(--c8)", strokeOpacity: 0.5 }]),
    lineChart(width, {
      ...{ lines, at: sharePlaces(recalls), height: TALL, x: shareAxis("recall"), y: { domain: [0, 1] } },
      tip: { ...shareTip("recall"), lines: few ? lines : means },
    }),
  ];
}

/** F1, precision and recall against the confidence from which detections count. */
function f1({ f1Sweep: sweep, threshold }: ShownEvaluation, width: number): Drawing[] {
  // where nothing is found, precision says nothing
  const column = (name: "f1" | "precision" | "recall") => sweep.map((point) => (point.recall > 0 ? point[name] : null));
  const lines = [
    { label: "F1", values: column("f1"), stroke: "var(--c1)", strokeWidth: 2.6 },
    { label: "precision", values: column("precision"), stroke: "var(--c3)", strokeWidth: 1.5 },
    { label: "recall", values: column("recall"), stroke: "var(--c2)", strokeWidth: 1.5 },
  ];
  const chart = lineChart(width, {
    ...{ lines, at: sharePlaces(sweep.map((point) => point.threshold)) },
    ...{ height: TALL, x: shareAxis("confidence threshold"), y: { domain: [0, 1] }, tip: shareTip("confidence") },
    behind: [
      Plot.ruleX([threshold], { stroke: "var(--soft)", strokeDasharray: "3 3" }),
      Plot.ruleX(confidence.moved ? [confidence.now] : [], { stroke: "var(--ink)" }),
      Plot.text([`best at ${threshold.toFixed(2)}`], {
        ...{ x: [threshold], frameAnchor: "top", dx: 6, textAnchor: threshold > 0.7 ? "end" : "start" },
        ...{ fill: "var(--soft)", fontSize: 11 },
      }),
    ],
  });
  return [legend(lines), chart];
}
