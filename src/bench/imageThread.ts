// The thread that prepares images while the model computes.

import { prepareAll } from "../data/image/forPrediction.ts";
import { carryOut } from "../util/threadPool.ts";

carryOut(prepareAll, { transfer: ({ pixels }) => [pixels] });
