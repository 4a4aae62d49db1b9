// A seeded stream of random numbers whose whole state is four integers.

/** State of a stream: four unsigned 32-bit integers. */
type RngState = [number, number, number, number];

/** A random stream (sfc32). The same seed gives the same numbers on every machine. */
export type Rng = {
  /** Uniform in [0, 1), 32 bits. */
  uniform(): number;
  /** Uniform integer in [0, n). */
  int(n: number): number;
  /** Standard normal (Box-Muller, no number kept back). */
  normal(): number;
  /** In-place Fisher-Yates shuffle; returns its argument. */
  shuffle<T>(items: T[]): T[];
};

/** The stream of a seed; with further words (epoch, image index, ...) a stream of its own for each. */
export function rngFromSeed(seed: number, ...words: number[]): Rng {
  let h = 0x9e3779b9;
  const state = [0, 0, 0, 0] as RngState;
  const all = [seed, ...words];
  for (let i = 0; i < 4; i++) {
    for (const word of [i, ...all]) h = mix(h ^ Math.imul(word | 0, 0x85ebca6b) ^ mix(Math.floor(word / 2 ** 32)));
    state[i] = h >>> 0;
  }
  const rng = rngFromState(state);
  for (let i = 0; i < 12; i++) rng.uniform();
  return rng;
}

function mix(x: number): number {
  let h = (x + 0x6d2b79f5) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return h ^ (h >>> 15);
}

/** The stream that begins with a state. */
function rngFromState([a0, b0, c0, d0]: RngState): Rng {
  let [a, b, c, d] = [a0 | 0, b0 | 0, c0 | 0, d0 | 0];
  const next = () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return t >>> 0;
  };
  const rng: Rng = {
    uniform: () => next() / 2 ** 32,
    int: (n) => Math.floor(rng.uniform() * n),
    normal: () => Math.sqrt(-2 * Math.log(1 - rng.uniform())) * Math.cos(2 * Math.PI * rng.uniform()),
    shuffle: (items) => {
      for (let i = items.length - 1; i > 0; i--) {
        const j = rng.int(i + 1);
        [items[i], items[j]] = [items[j]!, items[i]!];
      }
      return items;
    },
  };
  return rng;
}
