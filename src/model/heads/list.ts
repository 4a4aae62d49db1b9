// The heads of the network. A new one is its own file and a line here, and its weights a line in architecture/weights/heads.ts.

import { boxHead } from "./boxes.ts";
import { classHead } from "./classes.ts";
import type { Head } from "./head.ts";

export const HEADS: readonly Head[] = [classHead, boxHead];
