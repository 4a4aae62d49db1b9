// Uploads of kept pictures, one after the other, beside the rows that name them.

import type { Session } from "../client/session.ts";
import type { Transport } from "../client/transport.ts";
import { markSent, type PictureOnDisk, readKeptPicture } from "../folder/pictures.ts";

export type PictureUpload = {
  add(pictures: readonly PictureOnDisk[]): void;
  /** Pictures that have neither arrived nor been given up. */
  waiting(): number;
  /** Pictures that were given up. They are kept in the run's folder. */
  failed(): number;
};

const AT_ONCE = 20;

/** `onIdle` is called when nothing waits any more. */
export function openPictureUpload(
  dir: string,
  session: Pick<Session, "uploadAddresses">,
  transport: Pick<Transport, "put">,
  { onIdle }: { onIdle(): void },
): PictureUpload {
  const queue: PictureOnDisk[] = [];
  let [underWay, failed] = [0, 0];

  const upload = async (pictures: readonly PictureOnDisk[]) => {
    const { addresses, headers } = await session.uploadAddresses(pictures.map(({ value }) => value.path));
    const sent: string[] = [];
    for (const { value, file } of pictures) {
      try {
        const type = { "content-type": `image/${value.format}` };
        const bytes = await readKeptPicture(dir, file);
        await transport.put(addresses.get(value.path) ?? "", bytes, { ...type, ...headers });
        sent.push(value.path);
      } catch {
        failed++;
      }
    }
    await markSent(dir, sent);
  };
  const work = async () => {
    while (queue.length > 0) {
      const pictures = queue.splice(0, AT_ONCE);
      underWay = pictures.length;
      const before = failed;
      await upload(pictures).catch(() => {
        failed = before + pictures.length;
      });
      underWay = 0;
    }
    onIdle();
  };
  return {
    add: (pictures) => {
      if (pictures.length === 0) return;
      queue.push(...pictures);
      if (underWay === 0 && queue.length === pictures.length) void work();
    },
    waiting: () => queue.length + underWay,
    failed: () => failed,
  };
}
