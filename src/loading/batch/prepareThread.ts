// The thread that prepares the images of a batch: tasks come in, pixels go out without being copied.

import { carryOut } from "../../util/threads/threadPool.ts";
import { prepare } from "./prepare.ts";

carryOut(prepare, {
  transfer: ({ pixels, images }) => {
    const masks = images.flatMap((image) =>
      "target" in image && image.target.masks ? [image.target.masks.pixels] : [],
    );
    return [pixels, ...masks];
  },
});
