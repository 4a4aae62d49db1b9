// Any text as the name of a file or a folder that every system takes.

/** Without separators, control characters and what Windows refuses; never empty, hidden or longer than 80 characters. */
export function safeName(text: string): string {
  const name = [...text.normalize("NFC").replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\\/:*?"<>|]/gu, "_")].slice(0, 80).join("");
  const plain = name.replace(/^[.\s]+|[.\s]+$/g, "");
  if (plain === "") return "_";
  return /^(con|prn|aux|nul|(com|lpt)\d)(\.|$)/i.test(plain) ? `_${plain}` : plain;
}

/** Names of which no two are equal, not even where capitals do not count: a later one of the same name gets a number. */
export function differentNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let n = 2; taken.has(unique.toLowerCase()); n++) unique = `${name}-${n}`;
    taken.add(unique.toLowerCase());
    return unique;
  });
}
