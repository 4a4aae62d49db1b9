// The terms of the loss, in the order in which a row of metrics names them. A new one is its own file and a line here.

import { boxes } from "./boxes.ts";
import { cardinality } from "./cardinality.ts";
import { classes } from "./classes.ts";
import type { Term } from "./term.ts";

export const TERMS: readonly Term[] = [classes, boxes, cardinality];
