// The stacks and the memo of a restricted unpickler: what its instructions do with values.

import { UserError } from "../../util/errors.ts";
import { damaged, quoted } from "../fileReader.ts";
import { call, isKnownGlobal, isTagged, type PyStorage, type PyTuple, type PyValue } from "./pickleValues.ts";

/** Python 2's names, which protocol 2 still writes. */
const MODULES: Record<string, string> = { __builtin__: "builtins", copy_reg: "copyreg" };

export type PickleMachine = ReturnType<typeof pickleMachine>;

/** A machine without values. `path` is for messages: every operation throws a UserError where the pickle is wrong. */
export function pickleMachine(path: string) {
  const fail = (why: string) => damaged(path, why);
  const stacks = valueStacks(fail);
  return { ...stacks, ...valueMemo(stacks, fail), ...assembly(stacks, path) };
}

/** The stack of values, and the stacks below each mark. */
function valueStacks(fail: (why: string) => Error) {
  const outer: PyValue[][] = [];
  let stack: PyValue[] = [];
  const push = (value: PyValue) => {
    stack.push(value);
  };
  const pop = (): PyValue => {
    const value = stack.pop();
    if (value === undefined) throw fail("its pickle takes more values than it made");
    return value;
  };
  const top = (): PyValue => {
    const value = stack.at(-1);
    if (value === undefined) throw fail("its pickle takes more values than it made");
    return value;
  };
  const popMark = (): PyValue[] => {
    const items = stack;
    const below = outer.pop();
    if (!below) throw fail("its pickle closes a list that it did not open");
    stack = below;
    return items;
  };
  const popText = (): string => {
    const value = pop();
    if (typeof value !== "string") throw fail("its pickle has a name that is no text");
    return value;
  };
  const mark = () => {
    outer.push(stack);
    stack = [];
  };
  const drop = () => void (stack.length > 0 ? pop() : popMark());
  const result = (): PyValue => {
    if (stack.length !== 1 || outer.length > 0) throw fail("its pickle leaves values over");
    return pop();
  };
  return { push, pop, top, popMark, popText, mark, drop, result };
}

type ValueStacks = ReturnType<typeof valueStacks>;

/** Values that a pickle refers to by number. */
function valueMemo({ push, top }: ValueStacks, fail: (why: string) => Error) {
  const memo = new Map<number, PyValue>();
  const remember = (index: number) => {
    memo.set(index, top());
  };
  const recall = (index: number) => {
    const value = memo.get(index);
    if (value === undefined) throw fail("its pickle refers to a value that it did not make");
    push(value);
  };
  return { remember, recall, memoize: () => remember(memo.size) };
}

/** What makes values of values. */
function assembly({ push, pop, top }: ValueStacks, path: string) {
  const fail = (why: string) => damaged(path, why);
  const global = (module: string, name: string): PyValue => {
    const known = `${Object.hasOwn(MODULES, module) ? MODULES[module] : module}.${name}`;
    if (!isKnownGlobal(known)) throw unknownName(path, `${module}.${name}`);
    return { py: "global", name: known };
  };
  const append = (items: PyValue[]) => {
    const list = top();
    if (!Array.isArray(list)) throw fail("its pickle appends to a thing that is no list");
    for (const item of items) list.push(item);
  };
  const setItems = (items: PyValue[]) => {
    const dict = top();
    if (!(dict instanceof Map) || items.length % 2 !== 0)
      throw fail("its pickle sets items of a thing that is no dict");
    for (let i = 0; i < items.length; i += 2) dict.set(items[i] as PyValue, items[i + 1] as PyValue);
  };
  const reduce = () => {
    const args = pop();
    push(call(pop(), args, path));
  };
  const checkProtocol = (protocol: number) => {
    if (protocol < 2 || protocol > 5) throw fail(`its pickle has protocol ${protocol}`);
  };
  return {
    ...{ global, append, setItems, reduce, checkProtocol },
    build: () => {
      const state = pop();
      build(top(), state, fail);
    },
    persist: () => push(storage(pop(), fail)),
  };
}

/** BUILD sets attributes. Only a namespace keeps them; those of a dict (a state dict's versions) and of a dtype are dropped. */
function build(target: PyValue, state: PyValue, fail: (why: string) => Error): void {
  if (isTagged(target, "namespace")) {
    if (!(state instanceof Map)) throw fail("its pickle sets the fields of a namespace to no dict");
    if (target.fields.size > 0) throw fail("its pickle sets the fields of a namespace twice");
    target.fields = state; // not copied: one dict could be the fields of any number of namespaces
  } else if (!(target instanceof Map) && typeof target !== "string") {
    throw fail("its pickle sets attributes of a thing that has none");
  }
}

/** The persistent id that torch gives a storage: ("storage", type, key, location, numel[, view of an old format]). */
function storage(id: PyValue, fail: (why: string) => Error): PyStorage {
  const [kind, type, key, , numel, view] = isTagged(id, "tuple") ? (id as PyTuple).items : [];
  const valid = kind === "storage" && type !== undefined && isTagged(type, "global") && typeof key === "string";
  if (!valid || !/Storage$/.test(type.name) || !Number.isSafeInteger(numel) || (numel as number) < 0) {
    throw fail("it refers to a storage in a way that torch does not");
  }
  if (view !== undefined && view !== null) throw fail("it has storage views, which torch before 0.4 wrote");
  return { py: "storage", key, type: type.name.slice(type.name.lastIndexOf(".") + 1), numel: numel as number };
}

function unknownName(path: string, name: string): UserError {
  return new UserError(`Refused ${path}: it asks for the Python object ${quoted(name)}, which no weights file needs.`, {
    hint: "Such a file can run code when Python loads it. If you trust its origin, load it there and save its state dict alone.",
  });
}
