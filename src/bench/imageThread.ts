// The thread that prepares images while the model computes.

import { prepareAll } from "../data/image/forPrediction.ts";
import { carryOut } from "../util/threads/threadPool.ts";

carryOut(prepareAll, { transfer: ({ pixels }) => [pixels] });
