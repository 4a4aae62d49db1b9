// Videos, which are not read: what they are called, and how people get pictures out of them.

import { extname } from "node:path";

const EXTENSIONS = [".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".m2ts", ".3gp"];

/** Whether a file is called as videos are. */
export function isVideo(path: string): boolean {
  return EXTENSIONS.includes(extname(path).toLowerCase());
}

export const FRAMES_HINT = "Make pictures of it first, two a second: ffmpeg -i VIDEO -vf fps=2 frames/%05d.jpg";
