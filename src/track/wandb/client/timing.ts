// How long things may take on the way to W&B. Tests shorten them; all are in milliseconds.

export type WandbTiming = {
  /** One request, its answer included. */
  request: number;
  /** Before the second attempt; doubles from there, with jitter. */
  firstDelay: number;
  longestDelay: number;
  /** Without an answer for so long, it is reported. */
  tellAfter: number;
  /** Without an answer for so long, attempts become rare (`probeEvery`); a sync gives up. */
  giveUpAfter: number;
  probeEvery: number;
  /** The same as `giveUpAfter` for a server from which no answer has come at all: perhaps nobody is there. */
  reachWithin: number;
  /** How long the end of a run may wait for what is not sent yet. */
  closeWithin: number;
  /** The same where it was reported that the server does not answer, and it still does not. */
  closeSilentWithin: number;
  /** What a server may ask for in Retry-After at most. */
  longestRetryAfter: number;
  /** Between two looks at metrics.jsonl, and between two requests with rows; the latter grows after a while. */
  lookEvery: number;
  sendEvery: number;
  /** Between two samples of the machine's load. */
  sampleEvery: number;
};

export const TIMING: WandbTiming = {
  request: 30_000,
  firstDelay: 1000,
  longestDelay: 60_000,
  tellAfter: 60_000,
  giveUpAfter: 600_000,
  reachWithin: 600_000,
  probeEvery: 300_000,
  closeWithin: 20_000,
  closeSilentWithin: 2000,
  longestRetryAfter: 600_000,
  lookEvery: 500,
  sendEvery: 2000,
  sampleEvery: 15_000,
};
