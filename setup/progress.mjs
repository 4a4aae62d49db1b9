// What the set-up shows: one bar on a terminal, plain lines elsewhere. Everything goes to standard error.

const { stderr } = process;

/** Print one line. */
export function say(line) {
  stderr.write(`${line}\n`);
}

export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;

/** A bar (terminal) or a line at each quarter (pipe) of something whose size is known. */
export function bar(label) {
  let shown = -1;
  return {
    /** @param {number} done bytes @param {number} total bytes, 0 where unknown */
    update(done, total) {
      const share = total > 0 ? Math.min(1, done / total) : 0;
      if (stderr.isTTY) {
        const cells = Math.round(share * 30);
        const text = `${"#".repeat(cells)}${"-".repeat(30 - cells)} ${megabytes(done)}${total ? ` of ${megabytes(total)}` : ""}`;
        if (text !== shown) stderr.write(`\r${label} ${text}\x1b[K`);
        shown = text;
      } else if (total > 0 && Math.floor(share * 4) > shown) {
        shown = Math.floor(share * 4);
        if (shown > 0) say(`${label} ${shown * 25} % of ${megabytes(total)}`);
      }
    },
    end() {
      if (stderr.isTTY) stderr.write("\r\x1b[K");
    },
  };
}
