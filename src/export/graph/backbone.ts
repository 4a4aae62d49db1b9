// The encoder as operations: windows are cut out once, and global attention merely counts more tokens to a sequence.

import { EPSILON } from "../../architecture/facts.ts";
import { windowedBlocks } from "../../model/backbone.ts";
import { resizeSquare } from "../../util/arrays/bicubic.ts";
import { permute } from "../../util/arrays/permute.ts";
import type { Constant, Value } from "./graph.ts";
import { attention, type Builder, gelu, linear, linearAt, norm, reshape, scaled, slice, transpose } from "./layers.ts";

/** Sizes of the grid of patches and of its windows. */
export type Windows = {
  /** Patches a side of the whole grid. */
  side: number;
  /** Windows a side. */
  windows: number;
  /** Patches a side of a window. */
  inner: number;
  /** Tokens of a window, its class token included. */
  tokens: number;
};

export function windowsOf({ resolution, patchSize, numWindows }: Builder["architecture"]): Windows {
  const side = resolution / patchSize;
  const inner = side / numWindows;
  return { side, windows: numWindows, inner, tokens: inner * inner + 1 };
}

/**
 * images: [batch, 3, resolution, resolution], normalised -> the normalised feature maps without class tokens, window after
 * window: [batch * windows^2, inner^2, width] each.
 */
export function backbone(b: Builder, images: Value): Value[] {
  const { graph, architecture } = b;
  const { encoder, outFeatureIndexes } = architecture;
  const { hiddenSize: width, numAttentionHeads: heads } = encoder;
  const { windows, inner, tokens } = windowsOf(architecture);
  const windowed = windowedBlocks(architecture);
  const maps: Value[] = [];
  let x = graph.within("embeddings", () => embed(b, images));
  for (let i = 0; i < Math.max(...outFeatureIndexes); i++) {
    const path = `backbone.blocks.${i}`;
    const sequence = windowed.has(i) ? tokens : windows * windows * tokens;
    x = graph.within(path, () => block(b, x, path, { tokens: sequence, width, heads, name: `${path}.value` }));
    if (outFeatureIndexes.includes(i + 1)) {
      const before = x;
      maps.push(
        graph.within(`${path}/map`, () => {
          const all = reshape(graph, norm(b, before, "backbone.norm", EPSILON.encoder), -1, tokens, width);
          return slice(graph, all, 1, 1, 1 + inner * inner);
        }),
      );
    }
  }
  return maps;
}

/** -> [batch * windows^2 * tokens, width]. */
function embed(b: Builder, images: Value): Value {
  const { graph, architecture, leaf } = b;
  const { windows, inner } = windowsOf(architecture);
  const { patchSize: patch } = architecture;
  const width = architecture.encoder.hiddenSize;
  const filter = permute(leaf("backbone.embeddings.patch.weight"), [3, 2, 0, 1]); // [width, 3, patch, patch]
  const map = graph.op("Conv", [images, graph.weights("backbone.embeddings.patch.weight", filter)], {
    kernel_shape: [patch, patch],
    strides: [patch, patch],
  });
  const cut = transpose(graph, reshape(graph, map, -1, width, windows, inner, windows, inner), 0, 2, 4, 3, 5, 1);
  const patches = reshape(graph, cut, -1, windows * windows, inner * inner, width);
  const room = graph.op("Pad", [patches, graph.ints(0, 0, 1, 0, 0, 0, 0, 0)]); // for the class tokens
  const added = graph.op("Add", [room, graph.weights("backbone.embeddings.tokens", addedToTokens(b))]);
  return reshape(graph, added, -1, width);
}

/**
 * What is added to the bare patches: position embeddings of this resolution and the bias of the patch layer; class token and
 * its position in front of each window. -> [1, windows^2, tokens, width].
 */
function addedToTokens({ architecture, leaf }: Builder): Constant {
  const { side, windows, inner, tokens } = windowsOf(architecture);
  const width = architecture.encoder.hiddenSize;
  const table = leaf("backbone.embeddings.positionEmbeddings"); // [1, 1 + size^2, width]
  const patches = resizeSquare(table.data.subarray(width), width, { to: side });
  const classToken = leaf("backbone.embeddings.classToken").data;
  const bias = leaf("backbone.embeddings.patch.bias").data;
  const data = new Float32Array(windows * windows * tokens * width);
  for (let window = 0; window < windows * windows; window++)
    for (let token = 0; token < tokens; token++) {
      const y = Math.floor(window / windows) * inner + Math.floor((token - 1) / inner);
      const x = (window % windows) * inner + ((token - 1) % inner);
      const at = (window * tokens + token) * width;
      for (let c = 0; c < width; c++)
        data[at + c] = token === 0 ? classToken[c]! + table.data[c]! : patches[(y * side + x) * width + c]! + bias[c]!;
    }
  return { shape: [1, windows * windows, tokens, width], data };
}

/** One transformer block; layer scale and the scale of the scores are folded into weights. x: [rows, width] -> the same. */
function block(
  b: Builder,
  x: Value,
  path: string,
  sizes: { tokens: number; width: number; heads: number; name: string },
): Value {
  const { graph, leaf } = b;
  const at = (name: string) => [`${path}.${name}`, linearAt(b, `${path}.${name}`)] as const;
  const [first, second] = [leaf(`${path}.layerScale1`).data, leaf(`${path}.layerScale2`).data];

  const normalised = norm(b, x, `${path}.norm1`, EPSILON.encoder);
  const attended = attention(b, `${path}.attention`, { queryKey: normalised, value: normalised }, sizes);
  const [outputName, output] = at("attention.output");
  const y = graph.op("Add", [
    linear(
      b,
      attended,
      outputName,
      scaled(output, (column) => first[column]!),
    ),
    x,
  ]);

  const hidden = gelu(b, linear(b, norm(b, y, `${path}.norm2`, EPSILON.encoder), ...at("mlp.fc1")));
  const [name, layer] = at("mlp.fc2");
  return graph.op("Add", [
    linear(
      b,
      hidden,
      name,
      scaled(layer, (column) => second[column]!),
    ),
    y,
  ]);
}
