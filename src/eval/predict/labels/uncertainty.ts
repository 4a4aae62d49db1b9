// How sure a model is of what it found in a picture, and the list of pictures by that: a person looks at the least sure ones first.

/**
 * Of the scores in a picture from half of the threshold on, the mean of how near each is to the threshold: 1 at the threshold, 0 at 0 and
 * at 1; 0 where there are none. That is the 1-vs-2 margin, averaged over the detections, of Brust, Käding and Denzler, "Active Learning
 * for Deep Object Detection" (2019), with the threshold in the place of 0.5. `threshold` may be another for each of the scores.
 */
export function uncertaintyOf(scores: readonly number[], threshold: number | ((place: number) => number)): number {
  const doubts = scores.flatMap((score, i) => {
    const least = typeof threshold === "number" ? threshold : threshold(i);
    if (!(score >= least / 2)) return [];
    return score < least ? score / least : (1 - score) / (1 - least || 1);
  });
  return doubts.length === 0 ? 0 : doubts.reduce((sum, doubt) => sum + doubt, 0) / doubts.length;
}

export type Uncertain = { file_name: string; uncertainty: number; detections: readonly object[]; below: number };

/** The most uncertain ones first, others in their own order. */
export function byUncertainty<One extends Pick<Uncertain, "uncertainty">>(images: readonly One[]): One[] {
  return [...images].sort((a, b) => b.uncertainty - a.uncertainty);
}

/** A table for spreadsheets and scripts: an image a row, the most uncertain first. */
export function uncertainTable(images: readonly Uncertain[]): string {
  const rows = byUncertainty(images).map(({ file_name, uncertainty, detections, below }) => {
    return [quoted(file_name), uncertainty.toFixed(4), detections.length, below].join(",");
  });
  return `${["file_name,uncertainty,objects,objects_below_threshold", ...rows].join("\n")}\n`;
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
