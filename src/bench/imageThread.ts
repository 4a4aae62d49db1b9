// The thread that prepares images while the model computes.

import { carryOut } from "../util/threadPool.ts";
import { prepareAll } from "./images.ts";

carryOut(prepareAll, { transfer: ({ pixels }) => [pixels] });
