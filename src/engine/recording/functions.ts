// A plan as functions in TensorFlow's context, and their calls: a piece after the other, on a thread of its own each.

import type * as tf from "@tensorflow/tfjs-core";
import { type NativeTensor, outputTensor } from "../backend.ts";
import { putTogether } from "./containers.ts";
import { type OpDef, readOpDef } from "./graphDef.ts";
import type { RecordingBinding } from "./kernels.ts";
import type { Plan } from "./plan.ts";
import { nativeIds } from "./tape.ts";

const known = new Map<string, OpDef>();

/** What TensorFlow says of an operation. */
export function opDefOf(binding: RecordingBinding): (op: string) => OpDef {
  return (op) => {
    const found = known.get(op) ?? readOpDef(binding.opDef(op));
    known.set(op, found);
    return found;
  };
}

/** What a plan became. */
export type Installed = { plan: Plan; names: string[][]; kept: number[]; xla: boolean };

let count = 0;

/** Add the functions of a plan to TensorFlow's context. */
export function install(
  binding: RecordingBinding,
  plan: Plan,
  { name, xla }: { name: string; xla: boolean },
): Installed {
  const prefix = `rfdetr_${name}_${count++}`;
  const names = plan.parts.map(({ pieces }, part) =>
    pieces.map(({ graph, inputs, outputs, effects }, i) => {
      const full = `${prefix}_${part}_${i}`;
      const nodes = outputs.map((output) => output.name);
      binding.addFunction(graph, full, inputs.map((_, input) => `a${input}`), nodes, effects); // biome-ignore format: one line
      return full;
    }),
  );
  // the functions hold their graphs
  const parts = plan.parts.map((part) => ({
    ...part,
    pieces: part.pieces.map((piece) => ({ ...piece, graph: new Uint8Array() })),
  }));
  const kept = plan.kept.map(({ shape, dtype, values }) => binding.createTensor(shape, dtype, values));
  return { plan: { ...plan, parts, kept: [] }, names, kept, xla };
}

/** Remove what `install` has added. */
export function uninstall(binding: RecordingBinding, { names, kept }: Installed): void {
  for (const name of names.flat()) binding.removeFunction(name);
  for (const id of kept) binding.deleteTensor(id);
}

/** A run through the parts of what was installed. */
export type Replay = {
  /** The next part with its inputs; the results are the caller's, in the form that the stage gave them in. */
  part<Result>(inputs: tf.Tensor[]): Promise<Result>;
  /** Free what a further part would have read. */
  discard(): void;
};

export function replay(binding: RecordingBinding, { plan, names, kept, xla }: Installed): Replay {
  const places = new Map(kept.map((id, i) => [`k${i}`, id]));
  const held = new Set<string>();
  let [part, given] = [0, 0];
  const free = (place: string) => {
    if (held.delete(place)) binding.deleteTensor(places.get(place)!);
  };
  const discard = () => {
    for (const place of [...held]) free(place);
  };
  return {
    async part<Result>(inputs: tf.Tensor[]) {
      for (const id of nativeIds(inputs)) places.set(`i${given++}`, id);
      const results: NativeTensor[] = [];
      try {
        for (const [i, piece] of plan.parts[part]!.pieces.entries()) {
          const ids = Int32Array.from(piece.inputs, (place) => places.get(place)!);
          const types = Int32Array.from(piece.outputs, ({ dtype }) => dtype);
          const made = await binding.callFunction(names[part]![i]!, ids, types, xla, true);
          for (const [j, { to }] of piece.outputs.entries()) {
            if (typeof to === "number") results[to] = made[j]!;
            else {
              places.set(to, made[j]!.id);
              held.add(to);
            }
          }
          for (const place of piece.last) free(place);
        }
      } catch (error) {
        discard();
        for (const result of results) if (result) binding.deleteTensor(result.id);
        throw error;
      }
      const { form } = plan.parts[part++]!;
      if (part === plan.parts.length) discard();
      return putTogether<Result>(form, results.map(outputTensor));
    },
    discard,
  };
}
