// A fact that a run or a data set says about itself: a name and a value, which people read as "name: value".

/** `name` is empty where the value is a sentence of its own; `under` is the name of the fact that this one is a part of. */
export type Fact = { name: string; value: string; under?: string };

/** A sentence as a fact. */
export function sentence(value: string): Fact {
  return { name: "", value };
}

/** The line for people; parts of another fact are indented. */
export function factLine({ name, value, under }: Fact): string {
  return `${under === undefined ? "" : "  "}${name === "" ? "" : `${name}: `}${value}`;
}
