// Draws the page's charts, again when its width changes, and lets pictures grow.

(() => {
  const { charts } = window.report;

  /** Draw a figure's chart as wide as the figure; the caption names it for those who cannot see it. */
  function draw(figure) {
    const place = figure.querySelector(".plot");
    const width = Math.floor(place.clientWidth);
    if (width === 0 || place.dataset.width === String(width)) return;
    place.dataset.width = String(width);
    try {
      place.replaceChildren(...charts[figure.dataset.chart](Math.max(260, width)));
    } catch (error) {
      console.error(figure.dataset.chart, error); // the other charts are still worth seeing
      place.textContent = "This chart could not be drawn.";
    }
    const svg = place.querySelector("svg");
    const title = figure.querySelector("figcaption h3");
    svg?.setAttribute("role", "img");
    if (title) svg?.setAttribute("aria-label", title.textContent);
  }

  const figures = [...document.querySelectorAll("figure[data-chart]")];
  for (const figure of figures) draw(figure);
  let due = 0;
  new ResizeObserver(() => {
    cancelAnimationFrame(due);
    due = requestAnimationFrame(() => figures.forEach(draw));
  }).observe(document.querySelector(".page"));

  // Pictures grow to the page's width and back.
  for (const button of document.querySelectorAll(".pictures button")) {
    button.addEventListener("click", () => {
      const large = button.closest("figure").classList.toggle("large");
      button.setAttribute("aria-expanded", String(large));
    });
  }
  // Everything is on paper, what is folded too.
  window.addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details")) fold.open = true;
  });
  document.documentElement.dataset.ready = "true";
})();
