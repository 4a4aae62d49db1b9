// The page's data, and the picture of a suspect: the part of the photograph around it, with the label and what was found drawn.
// The files of this folder are parts of one script: what is at their top level, all of them see.

type SuspectsPageData = import("../suspects/suspectsRecord.ts").SuspectsPageData;
type Suspect = SuspectsPageData["record"]["suspects"][number];
type SuspectKind = Suspect["kind"];

const { key, record, crops, classes }: SuspectsPageData = JSON.parse(document.getElementById("data")!.textContent!);
const suspects = record.suspects;

const SVG = "http://www.w3.org/2000/svg";

/** What is wrong with a suspect, and what accepting it does. `chosen`: the class that a person has chosen in place of the one that was found. */
function sayingsOf({ kind, label, found }: Suspect, chosen: string): { what: string; accept: string } {
  const [labelled, seen] = [label?.class ?? "", found?.class ?? ""];
  const sure = found ? ` (${found.score.toFixed(2)})` : "";
  switch (kind) {
    case "missing":
      return { what: `${seen} found${sure}, and no label`, accept: `adds the label ${chosen}` };
    case "class":
      return { what: `Labelled ${labelled}, found as ${seen}${sure}`, accept: `makes it ${chosen}` };
    case "place":
      return { what: `${labelled}, found in another place${sure}`, accept: "moves the label there" };
    case "double":
      return { what: `A second label on one object: ${labelled}`, accept: "removes the dashed one" };
  }
}

function pictureOf(suspect: Suspect, place: number): Element {
  const crop = crops[place];
  const frame = document.createElement("div");
  frame.className = "suspect-picture";
  if (!crop) {
    frame.textContent = "This picture cannot be shown.";
    return frame;
  }
  const { left, top, width, height, jpeg } = crop;
  const photo = new Image();
  photo.decoding = "async";
  photo.src = `data:image/jpeg;base64,${jpeg}`;
  photo.alt = "";
  const boxes = document.createElementNS(SVG, "svg");
  boxes.setAttribute("viewBox", `${left} ${top} ${width} ${height}`);
  for (const box of crop.near) boxes.append(rectangle(box, "near"));
  if (suspect.other) boxes.append(rectangle(suspect.other.bbox, "label"));
  if (suspect.label) boxes.append(rectangle(suspect.label.bbox, suspect.kind === "double" ? "label gone" : "label"));
  if (suspect.found) boxes.append(rectangle(suspect.found.bbox, "found"));
  frame.append(photo, boxes);
  return frame;
}

function rectangle([x, y, width, height]: readonly number[], className: string): Element {
  const rect = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ x, y, width, height })) rect.setAttribute(name, String(value));
  rect.setAttribute("class", className);
  return rect;
}
