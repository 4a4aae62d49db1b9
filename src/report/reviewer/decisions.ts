// What was decided of each suspect: kept in the browser, and downloaded as a file.

type Decision = NonNullable<Suspect["decision"]>;

const decisions = new Map<number, Decision>();
/** Classes that a person chose in place of those that were found. */
const chosen = new Map<number, string>();

/** A browser may keep nothing for a file, or have been told to. */
function storage(): Storage | undefined {
  try {
    return localStorage;
  } catch {
    return undefined;
  }
}

function readKept(): void {
  try {
    const kept: Partial<Record<"decisions" | "chosen", Record<number, unknown>>> = JSON.parse(
      storage()?.getItem(key) ?? "{}",
    );
    for (const { id } of suspects) {
      const [decision, name] = [kept.decisions?.[id], kept.chosen?.[id]];
      if (decision === "accept" || decision === "reject") decisions.set(id, decision);
      if (typeof name === "string" && classes.includes(name)) chosen.set(id, name);
    }
  } catch {} // what cannot be read is as if nothing had been decided
}

/** Whether the browser keeps what was decided so far. */
function keep(): boolean {
  try {
    const all = { decisions: Object.fromEntries(decisions), chosen: Object.fromEntries(chosen) };
    storage()!.setItem(key, JSON.stringify(all));
    return true;
  } catch {
    return false;
  }
}

/** The file of suspects with the decisions in it. */
function decidedText(): string {
  const all = suspects.map(({ found, ...suspect }) => {
    const [decision, name] = [decisions.get(suspect.id), chosen.get(suspect.id)];
    const seen = found && { ...found, ...(name !== undefined && { class: name }) };
    return { ...suspect, ...(seen && { found: seen }), ...(decision && { decision }) };
  });
  return `${JSON.stringify({ ...record, suspects: all }, null, 1)}\n`;
}

function download(): void {
  const address = URL.createObjectURL(new Blob([decidedText()], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = "decisions.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
