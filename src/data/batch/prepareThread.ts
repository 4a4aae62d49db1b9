// The thread that prepares the images of a batch: tasks come in, pixels go out without being copied.

import { carryOut } from "../../util/threads/threadPool.ts";
import { prepare } from "./prepare.ts";

carryOut(prepare, { transfer: ({ pixels }) => [pixels] });
