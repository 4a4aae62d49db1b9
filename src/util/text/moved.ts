// What to say where a path of a recipe leads nowhere.

/** A hint: the recipe may be that of a run from elsewhere, whose paths are absolute. `key` is where the path stands. */
export function maybeMoved(key: string): string {
  return `Check ${key} in the recipe. The recipe.yaml of a run that was moved here from another machine has that machine's path: put the one on this machine there.`;
}
