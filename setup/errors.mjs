// What the set-up cannot fix by itself: one message, and the command that fixes it.

export class SetupError extends Error {
  name = "SetupError";

  /** @param {string} message what is missing  @param {string} [hint] the command or step that fixes it */
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}
