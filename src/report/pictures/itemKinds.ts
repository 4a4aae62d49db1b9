// What a box in a picture can be, as charts/judged.ts tells them apart, and what people call it.

export const ITEM_KINDS = [
  ["hit", "Hit"],
  ["miss", "Missed"],
  ["alarm", "False alarm"],
  ["class", "Wrong class"],
  ["place", "Badly placed"],
] as const;
