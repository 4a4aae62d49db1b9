// Losses of two programs over the same steps as an SVG: a panel for each case, a pair of lines for each seed, ours over the reference's.

const [WIDTH, HEIGHT, MARGIN, SMOOTH] = [720, 240, 44, 10];
const COLOURS = ["#2563eb", "#c2410c", "#15803d", "#7c3aed", "#be185d"];

/**
 * The text of an SVG file; losses are means of so many steps around each.
 * @param {{ name: string, seed: string, ours: number[], reference: number[] }[]} curves
 */
export function lossChart(curves) {
  const names = [...new Set(curves.map(({ name }) => name))];
  const panels = names.map((name, i) =>
    panel(
      name,
      curves.filter((one) => one.name === name),
      i * HEIGHT,
    ),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${names.length * HEIGHT}" font-family="sans-serif" font-size="12">
<title>Losses of this project and of the reference over the same steps</title>
<rect width="100%" height="100%" fill="#fff"/>
${panels.join("\n")}
</svg>
`;
}

function panel(name, curves, top) {
  const lines = curves.flatMap(({ ours, reference }) => [smooth(reference), smooth(ours)]);
  const steps = Math.max(...lines.map((line) => line.length));
  const [least, most] = [Math.min(...lines.flat()), Math.max(...lines.flat())];
  const x = (step) => MARGIN + (step / (steps - 1)) * (WIDTH - 2 * MARGIN);
  const y = (loss) => top + HEIGHT - MARGIN - ((loss - least) / (most - least)) * (HEIGHT - 2 * MARGIN);
  const path = (line, style) =>
    `<polyline fill="none" ${style} points="${line.map((loss, step) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`).join(" ")}"/>`;
  const drawn = curves.flatMap(({ ours, reference }, i) => [
    path(smooth(reference), `stroke="${COLOURS[i % COLOURS.length]}" stroke-width="5" opacity="0.3"`),
    path(smooth(ours), `stroke="${COLOURS[i % COLOURS.length]}" stroke-width="1.2"`),
  ]);
  const label = (text, at, anchor = "middle") =>
    `<text x="${at[0]}" y="${at[1]}" text-anchor="${anchor}" fill="#444">${text}</text>`;
  return [
    `<path d="M${MARGIN} ${top + MARGIN}V${top + HEIGHT - MARGIN}H${WIDTH - MARGIN}" fill="none" stroke="#999"/>`,
    ...drawn,
    label(
      `${name}: loss, mean of ${SMOOTH} steps; thin: this project, broad: the reference; a colour a seed`,
      [MARGIN, top + MARGIN - 14],
      "start",
    ),
    label(least.toFixed(1), [MARGIN - 6, y(least)], "end"),
    label(most.toFixed(1), [MARGIN - 6, y(most) + 8], "end"),
    label("step 1", [MARGIN, top + HEIGHT - MARGIN + 16]),
    label(steps, [WIDTH - MARGIN, top + HEIGHT - MARGIN + 16]),
  ].join("\n");
}

const smooth = (list) =>
  list.map((_, i) => {
    const part = list.slice(Math.max(0, i - SMOOTH / 2), i + SMOOTH / 2 + 1);
    return part.reduce((a, b) => a + b, 0) / part.length;
  });
