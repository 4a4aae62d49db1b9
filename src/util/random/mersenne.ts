// The Mersenne Twister MT19937 seeded as CPython's random.Random(seed) seeds it, for choices that must equal the
// reference's. Everything else that is random comes from rng.ts.

const WORDS = 624;
const SHIFT = 397;

/** The index that `random.Random(seed).choice(...)` of CPython picks out of `length` items. seed: 0 to 2^53. */
export function pythonChoice(seed: number, length: number): number {
  const next = twister(seed);
  const bits = 32 - Math.clz32(length);
  for (;;) {
    const index = next() >>> (32 - bits);
    if (index < length) return index;
  }
}

/** A stream of unsigned 32-bit integers. */
function twister(seed: number): () => number {
  const state = seededState(seed);
  let at = WORDS;
  return () => {
    if (at === WORDS) {
      twist(state);
      at = 0;
    }
    let y = state[at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}

/** The published initialisation by an array: here the seed's 32-bit words, lowest first. */
function seededState(seed: number): Uint32Array {
  const key = seed >= 2 ** 32 ? [seed >>> 0, Math.floor(seed / 2 ** 32)] : [seed];
  const state = new Uint32Array(WORDS);
  state[0] = 19650218;
  for (let i = 1; i < WORDS; i++) state[i] = Math.imul(1812433253, previous(state, i)) + i;
  let i = 1;
  const advance = () => {
    if (++i < WORDS) return;
    state[0] = state[WORDS - 1]!;
    i = 1;
  };
  for (let k = 0; k < WORDS; k++, advance()) {
    const word = k % key.length;
    state[i] = (state[i]! ^ Math.imul(previous(state, i), 1664525)) + key[word]! + word;
  }
  for (let k = 0; k < WORDS - 1; k++, advance()) {
    state[i] = (state[i]! ^ Math.imul(previous(state, i), 1566083941)) - i;
  }
  state[0] = 0x80000000;
  return state;
}

function previous(state: Uint32Array, i: number): number {
  const before = state[i - 1]!;
  return before ^ (before >>> 30);
}

function twist(state: Uint32Array): void {
  for (let i = 0; i < WORDS; i++) {
    const y = (state[i]! & 0x80000000) | (state[(i + 1) % WORDS]! & 0x7fffffff);
    state[i] = state[(i + SHIFT) % WORDS]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
  }
}
