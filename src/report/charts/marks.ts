// What all charts share: the frame, the colours, grid, stages, tips and legend.

type PlotOptions = import("@observablehq/plot").PlotOptions;
type Scale = import("@observablehq/plot").ScaleOptions;
type Marks = import("@observablehq/plot").Markish[];

/** A part of a figure: a chart or its legend. */
type Drawing = Element;

const HEIGHT = 260;
const COLOURS = [1, 2, 3, 4, 5, 6, 7, 8].map((i) => `var(--c${i})`);
const colour = (i: number): string => COLOURS[i % COLOURS.length]!;

const NO_LABEL = { label: null, tickSize: 0 };
const TIP = { fill: "var(--panel)", stroke: "var(--faint)" };

/** The length of a run, as the options of a horizontal axis; a run that goes on grows longer. */
const runAxis = (): Scale => ({
  ...{ label: page.unit, labelAnchor: "right", labelArrow: "none" },
  ...{ tickSize: 0, ticks: 6, nice: false, domain: [0, page.end] },
});

/** A share from 0 to 1, as the options of a horizontal axis. */
const shareAxis = (label: string): Scale => ({ label, labelArrow: "none", domain: [0, 1], tickSize: 0, ticks: 5 });

function plot(width: number, options: PlotOptions): Drawing {
  return Plot.plot({
    ...{ width, height: HEIGHT, marginLeft: 46, marginRight: 14, marginBottom: 34, marginTop: 14 },
    style: { background: "none", color: "var(--ink)", overflow: "visible" },
    ...options,
  });
}

const gridY = (ticks: number) => Plot.gridY({ stroke: "var(--faint)", strokeOpacity: 1, ticks });
const gridX = () => Plot.gridX({ stroke: "var(--faint)", strokeOpacity: 1 });

/** Stages of a staged run, every other one lightly shaded, their number on top. */
function stageMarks(height: number): Marks {
  const stages = page.run?.stages ?? [];
  if (stages.length < 2) return [];
  const shown = stages
    .filter(({ from }) => from < page.end)
    .map((stage) => ({ ...stage, to: Math.min(stage.to, page.end) }));
  return [
    Plot.rectX(
      shown.filter((_, i) => i % 2 === 1),
      { x1: "from", x2: "to", fill: "var(--stage)", fillOpacity: 0.07 },
    ),
    Plot.text(shown, {
      x: (stage: (typeof shown)[number]) => (stage.from + stage.to) / 2,
      text: ({ number }: (typeof shown)[number]) => (height < 200 ? number : `stage ${number}`),
      ...{ frameAnchor: "top", dy: -10, fill: "var(--soft)", fontSize: 11 },
    }),
  ];
}

/** A tip at the row of names where the pointer is. */
function rowTip<Row>(rows: readonly Row[], x: string | ((row: Row) => number | null), title: (row: Row) => string) {
  return Plot.tip(rows, Plot.pointerY({ ...TIP, x, y: "name", title }));
}

type LegendEntry = { label: string; stroke: string; strokeOpacity?: number; strokeDasharray?: string };

/** By hand: a legend of Plot shows colours, but no dashes. */
function legend(entries: readonly LegendEntry[]): Drawing {
  const list = document.createElement("ul");
  list.className = "legend";
  for (const { label, stroke, strokeOpacity = 1, strokeDasharray: dashes } of entries) {
    const item = document.createElement("li");
    const line = document.createElement("i");
    const style = dashes === undefined ? "solid" : Number.parseFloat(dashes) < 3 ? "dotted" : "dashed";
    line.style.borderTop = `3px ${style} ${stroke}`;
    line.style.opacity = String(strokeOpacity);
    item.append(line, clip(label, 30));
    list.append(item);
  }
  return list;
}

function nothing(): Drawing {
  const text = document.createElement("p");
  text.className = "soft";
  text.textContent = "Nothing was recorded.";
  return text;
}
