// A picture under boxes in the colour of what they are: hits, misses and errors.

const JPEG = "image/jpeg";
const SVG = "http://www.w3.org/2000/svg";

type ShownPicture = { image: string; width: number; height: number; jpeg: string };

/** A figure that grows when it is chosen, with room for boxes and for a caption. */
function pictureFigure({ image, width, height, jpeg }: ShownPicture) {
  const figure = document.createElement("figure");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "browse-picture";
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("aria-label", `Enlarge ${image}`);
  button.addEventListener("click", () =>
    button.setAttribute("aria-expanded", String(figure.classList.toggle("large"))),
  );
  const photo = new Image(width, height);
  photo.src = `data:${JPEG};base64,${jpeg}`;
  photo.alt = "";
  const boxes = svgElement("svg", { class: "browse-boxes", viewBox: `0 0 ${width} ${height}` });
  button.append(photo, boxes);
  const caption = document.createElement("figcaption");
  figure.append(button, caption);
  return { figure, boxes, caption };
}

/** How a picture came out, for its caption. */
function outcomeOf({ image, truths }: { image: string; truths: readonly unknown[] }, items: readonly Item[]): string {
  const count = (...kinds: ItemKind[]) => items.filter(({ kind }) => kinds.includes(kind)).length;
  return `${image}: ${count("hit")} of ${truths.length} found, ${count("alarm", "class", "place")} wrong`;
}

/** The box of an item, under its mask's outline where it has one, and that of the object it was meant for. */
function boxesOf(
  { kind, truth, taken, score: of, box, meant }: Item,
  classes: readonly string[],
  { faint = false, outline = [] }: { faint?: boolean; outline?: readonly number[] } = {},
): Element[] {
  const name = (place: number | undefined) => (place === undefined ? "" : classes[place]!);
  const text = {
    hit: () => `${name(taken)}, found`,
    miss: () => `${name(truth)}, missed`,
    alarm: () => `${name(taken)}, where there is none`,
    class: () => `${name(truth)}, taken for ${name(taken)}`,
    place: () => `${name(taken)}, badly placed`,
  }[kind]();
  const titled = (shape: Element) => {
    const title = svgElement("title");
    title.textContent = of === undefined ? text : `${text} (${of.toFixed(2)})`;
    shape.append(title);
    return shape;
  };
  const style = faint ? " faint" : "";
  return [
    ...(meant ? [titled(rectangle(meant, `${kind} meant${style}`))] : []),
    ...(outline.length > 0
      ? [titled(svgElement("polygon", { points: outline.join(" "), class: `${kind}${style}` }))]
      : []),
    titled(rectangle(box, `${kind}${style}`)),
  ];
}

function rectangle([x, y, width, height]: Box, className: string): Element {
  return svgElement("rect", { x, y, width, height, class: className });
}

function svgElement(name: string, attributes: Record<string, string | number> = {}): Element {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}
