// The one error class for what a user can fix; everything else is a bug and shows its stack.

/**
 * Kinds of trouble that a program acts on: the engine has to be set up (again); a training diverged, and its hint says
 * where it goes on from.
 */
export type UserErrorCode = "engine" | "diverged" | "worker-lost";

/** Something the user can fix. `message` names the file, key or value; `hint` says what to do. */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly hint: string | undefined;
  /** Names the kind of trouble, where a program acts on it. */
  readonly code: UserErrorCode | undefined;

  constructor(message: string, { hint, code, cause }: { hint?: string; code?: UserErrorCode; cause?: unknown } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.hint = hint;
    this.code = code;
  }
}
