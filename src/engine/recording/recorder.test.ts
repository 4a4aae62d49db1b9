import * as tf from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, test } from "vitest";
import { loadBackend, rawOp, rawOps } from "../backend.ts";
import { recordingBinding } from "./kernels.ts";
import { createRecorder } from "./recorder.ts";

let missing = false;
beforeAll(() => {
  loadBackend();
  missing = recordingBinding() === undefined;
});

const nativeTensors = () => (loadBackend().binding as unknown as { getNumOfTensors(): number }).getNumOfTensors();
const numbers = (tensors: tf.Tensor[]) => tensors.map((tensor) => [...tensor.dataSync()]);

describe("a recorder", () => {
  test("replays from the third run on, with new numbers of the inputs and the same bytes", async (context) => {
    if (missing) context.skip();
    const recorder = createRecorder({ operations: 2 });
    let runs = 0;
    const stage = (x: tf.Tensor, y: tf.Tensor) => {
      runs++;
      return tf.tidy(() => [
        tf.softmax(tf.add(tf.matMul(x as tf.Tensor2D, y as tf.Tensor2D), tf.ones([2, 5]))),
        tf.sum(tf.mul(x, [1, 2, 4])),
        x.clone(),
      ]);
    };
    const begin = [nativeTensors(), tf.memory().numTensors];
    for (let i = 0; i < 6; i++) {
      const inputs = [tf.randomNormal([2, 3]), tf.randomNormal([3, 5])];
      const expected = stage(inputs[0]!, inputs[1]!);
      const got = await recorder.chain("sum").part(inputs, () => stage(inputs[0]!, inputs[1]!));
      expect(numbers(got)).toEqual(numbers(expected));
      expect(got.map(({ shape, dtype }) => [shape, dtype])).toEqual(expected.map(({ shape, dtype }) => [shape, dtype]));
      tf.dispose([...inputs, ...expected, ...got]);
    }
    expect(runs).toBe(6 + 2);
    expect(recorder.news().map(({ text }) => text)).toEqual([
      expect.stringMatching(/^The stage sum is replayed from now on: \d+ operations in/),
    ]);
    recorder.dispose();
    expect([nativeTensors(), tf.memory().numTensors]).toEqual(begin);
  });

  test("holds between two parts what the second one needs, and frees it where that never comes", async (context) => {
    if (missing) context.skip();
    const recorder = createRecorder();
    const begin = nativeTensors();
    for (let i = 0; i < 5; i++) {
      const x = tf.tensor1d([i, 2, 3]);
      const chain = recorder.chain("two", { parts: 2 });
      const saved: tf.Tensor[] = [];
      const [first] = await chain.part([x], () => {
        saved.push(tf.exp(x));
        return [tf.sum(saved[0]!)];
      });
      const factor = tf.scalar(first!.dataSync()[0]! + i); // the host's part
      const [second] = await chain.part([factor], () => [tf.mul(saved[0]!, factor)]);
      const expected = tf.tidy(() => tf.mul(tf.exp(x), tf.add(tf.sum(tf.exp(x)), i)));
      expect(numbers([second!])).toEqual(numbers([expected]));
      tf.dispose([x, first!, second!, factor, expected, saved]);
    }
    const x = tf.tensor1d([1, 2, 3]);
    const chain = recorder.chain("two", { parts: 2 });
    const [first] = await chain.part([x], (): tf.Tensor[] => []);
    chain.discard();
    tf.dispose([x, first!]);
    recorder.dispose();
    expect(nativeTensors()).toBe(begin);
  });

  test("changes variables in place and in order", async (context) => {
    if (missing) context.skip();
    const recorder = createRecorder();
    const type = { type: "float" } as const;
    const name = "cd2c89b7-88b7-44c8-ad83-06c2a9158347";
    const variable = () =>
      rawOp("VarHandleOp", { dtype: type, shape: { shape: [2] }, container: "", shared_name: name }, []);
    const run = (handle: tf.Tensor, x: tf.Tensor) =>
      tf.tidy(() => {
        const own = variable();
        const before = rawOp("ReadVariableOp", { dtype: type }, [handle]);
        rawOps("AssignVariableOp", { dtype: type }, [own, tf.add(before, x)], 0);
        rawOps(
          "AssignVariableOp",
          { dtype: type },
          [handle, tf.mul(rawOp("ReadVariableOp", { dtype: type }, [own]), 2)],
          0,
        );
        rawOps("AssignAddVariableOp", { dtype: type }, [handle, x], 0);
        return [before, rawOp("ReadVariableOp", { dtype: type }, [own])];
      });
    const results: number[][][] = [];
    for (const recorded of [false, true]) {
      const handle = variable();
      const start = tf.tensor1d([1, 2]);
      rawOps("AssignVariableOp", { dtype: type }, [handle, start], 0);
      const mine: number[][] = [];
      for (let i = 0; i < 6; i++) {
        const x = tf.tensor1d([i, 1]);
        const got = recorded ? await recorder.chain("place").part([handle, x], () => run(handle, x)) : run(handle, x);
        mine.push(...numbers(got));
        tf.dispose([x, ...got]);
      }
      const end = rawOp("ReadVariableOp", { dtype: type }, [handle]);
      mine.push(...numbers([end]));
      results.push(mine);
      tf.dispose([end, handle, start]);
    }
    expect(results[1]).toEqual(results[0]);
    expect(recorder.news().map(({ text }) => text)).toEqual([expect.stringMatching(/is replayed/)]);
    recorder.dispose();
  });

  test("finds inputs that become one tensor, or take another shape, another recording", async (context) => {
    if (missing) context.skip();
    const recorder = createRecorder();
    const [a, b, c] = [tf.scalar(1), tf.scalar(10), tf.tensor1d([5, 6])];
    const add = async (x: tf.Tensor, y: tf.Tensor) => {
      const [sum] = await recorder.chain("add").part([x, y], () => [tf.add(x, y)]);
      return [...sum!.dataSync()];
    };
    for (let i = 0; i < 4; i++) {
      expect(await add(a, a)).toEqual([2]);
      expect(await add(a, b)).toEqual([11]);
      expect(await add(b, a)).toEqual([11]);
      expect(await add(a, c)).toEqual([6, 7]);
    }
    expect(recorder.news().length).toBe(3);
    recorder.dispose();
  });

  test("goes on as ever, and says why, where a run cannot be replayed", async (context) => {
    if (missing) context.skip();
    const recorder = createRecorder();
    const x = tf.tensor1d([1, 2]);
    const outside = tf.tensor1d([1, 1]);
    let count = 0;
    const runs: Record<string, () => tf.Tensor[]> = {
      reads: () => [tf.scalar(tf.sum(x).dataSync()[0]!)],
      changes: () => [tf.mul(x, ++count)],
      captures: () => [tf.mul(x, outside)],
      random: () => [
        rawOp("RandomUniform", { T: { type: "int32" }, dtype: { type: "float" } }, [tf.tensor1d([2], "int32")]),
      ],
    };
    for (const [name, run] of Object.entries(runs)) {
      for (let i = 0; i < 4; i++) (await recorder.chain(name).part([x], run))[0]!.dispose();
    }
    expect(count).toBe(4);
    expect(recorder.news().map(({ text: line }) => line.replace(/.*one operation at a time: /, ""))).toEqual([
      "it reads numbers from the device",
      "two runs of it did different things",
      "it reads a tensor [2] from outside that is not among its inputs",
      "RandomUniform keeps a state of its own",
    ]);
    recorder.dispose();
  });

  test("goes on as ever, and says why, where the first replay fails", async (context) => {
    if (missing) context.skip();
    const binding = recordingBinding()!;
    const { callFunction } = binding;
    const begin = nativeTensors();
    for (const failing of [1, 2]) {
      const recorder = createRecorder({ operations: 1 });
      for (let i = 0; i < 5; i++) {
        const x = tf.tensor1d([i, 2, 3]);
        const chain = recorder.chain("two", { parts: 2 });
        const saved: tf.Tensor[] = [];
        let calls = 0;
        binding.callFunction = (...given) =>
          i === 2 && ++calls > failing ? Promise.reject(new Error("out of memory")) : callFunction(...given);
        try {
          const [first] = await chain.part([x], () => {
            saved.push(tf.exp(x));
            return [tf.sum(saved[0]!)];
          });
          const [second] = await chain.part([first], () => [tf.tidy(() => tf.square(tf.mul(saved[0]!, first!)))]);
          const expected = tf.tidy(() => tf.square(tf.mul(tf.exp(x), tf.sum(tf.exp(x)))));
          expect(numbers([second!])).toEqual(numbers([expected]));
          expect(saved.length).toBe(1); // run once in the end, and after the failure from then on
          tf.dispose([x, first!, second!, expected, saved]);
        } finally {
          binding.callFunction = callFunction;
        }
      }
      expect(recorder.news().map(({ text }) => text)).toEqual([
        "The stage two cannot be replayed and runs one operation at a time: out of memory",
      ]);
      recorder.dispose();
    }
    expect(nativeTensors()).toBe(begin);
  });

  test("keeps no more recordings than it may, those used last", async (context) => {
    if (missing) context.skip();
    const recorder = createRecorder({ most: 2 });
    const runs = new Map<number, number>();
    const once = async (length: number) => {
      const x = tf.ones([length]);
      const [y] = await recorder.chain("neg").part([x], () => {
        runs.set(length, (runs.get(length) ?? 0) + 1);
        return [tf.neg(x)];
      });
      tf.dispose([x, y!]);
    };
    for (const length of [1, 1, 1, 2, 2, 2, 1, 3, 3, 3, 1, 2]) await once(length);
    expect(Object.fromEntries(runs)).toEqual({ 1: 2, 2: 3, 3: 2 });
    recorder.dispose();
  });

  test("fuses by XLA where it is asked to", async (context) => {
    if (missing) context.skip();
    const recorder = createRecorder({ xla: true });
    const x = tf.randomNormal([3, 7]);
    const run = () => tf.tidy(() => [tf.softmax(tf.mul(tf.tanh(x), 3))]);
    const [expected] = run();
    for (let i = 0; i < 4; i++) {
      const [y] = await recorder.chain("fused").part([x], run);
      expect(tf.max(tf.abs(tf.sub(y!, expected!))).dataSync()[0]).toBeLessThan(1e-6);
    }
    expect(recorder.news().map(({ text }) => text)).toEqual([expect.stringMatching(/is replayed/)]);
    recorder.dispose();
  });

  test("fused results do not depend on what was recorded before", async (context) => {
    if (missing) context.skip();
    const x = tf.randomNormal([5, 7]);
    const results: number[][][] = [];
    for (const before of [0, 3]) {
      const recorder = createRecorder({ xla: true });
      let runs = 0;
      const stage = (from: tf.Tensor) => recorder.chain("softmax").part([from], () => tf.tidy(() => [tf.softmax(tf.mul(tf.tanh(from), 3))])); // biome-ignore format: one line
      const once = async () => {
        runs++;
        const [first] = await stage(x);
        const [second] = await stage(first!);
        first!.dispose();
        return [second!];
      };
      const begin = tf.memory().numTensors;
      for (let i = 0; i < before; i++) tf.dispose(await recorder.settle(once, tf.dispose));
      const [y] = await recorder.settle(once, tf.dispose);
      results.push(numbers([y!]));
      y!.dispose();
      expect(tf.memory().numTensors).toBe(begin);
      expect(runs).toBe(before + 2); // once recorded, in both of its stages, which are one recording
      recorder.dispose();
    }
    expect(results[1]).toEqual(results[0]);
    x.dispose();
  });
});
