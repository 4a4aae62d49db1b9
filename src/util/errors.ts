// The one error class for what a user can mend; everything else is a bug and shows its stack.

/** Something the user can mend. `message` names the file, key or value; `hint` says what to do. */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly hint: string | undefined;

  constructor(message: string, { hint, cause }: { hint?: string; cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.hint = hint;
  }
}
