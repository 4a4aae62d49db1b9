// What an answer or a failed request over HTTP means for whoever tries again.

/** Milliseconds that a Retry-After header asks for: a number of seconds or a date. */
export function retryAfter(header: string | null): number {
  if (header === null) return 0;
  const delay = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Math.max(0, delay || 0);
}

const REASONS: Record<string, string> = {
  ENOTFOUND: "the server's name is not known",
  EAI_AGAIN: "the server's name cannot be looked up",
  ECONNREFUSED: "the server refuses the connection",
  ECONNRESET: "the connection broke",
  UND_ERR_SOCKET: "the connection broke",
  ENETUNREACH: "there is no network",
  UND_ERR_CONNECT_TIMEOUT: "the server does not answer",
};

/** Why a request failed, in words, by the code of its error; undefined where the code is not known. */
export function failureReason(code: string | undefined): string | undefined {
  return code !== undefined && Object.hasOwn(REASONS, code) ? REASONS[code] : undefined;
}

/** Whether an error's code means that there seems to be no network. */
export function isOffline(code: string | undefined): boolean {
  return code !== undefined && ["ENOTFOUND", "EAI_AGAIN", "ENETUNREACH"].includes(code);
}
