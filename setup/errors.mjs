// What the set-up cannot mend by itself: one message, and the command that mends it.

export class SetupError extends Error {
  name = "SetupError";

  /** @param {string} message what is missing  @param {string} [hint] the command or step that mends it */
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}
