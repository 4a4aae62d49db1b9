import { expect, test } from "vitest";
import { lossTerms } from "./lossTerms.ts";

const names = (columns: string[]) => lossTerms(columns).map(({ term }) => term);

test("known terms come first, in their order, whatever the order of the columns; layers are no terms of their own", () => {
  const columns = ["loss", "loss_giou", "loss_giou_0", "loss_ce", "loss_ce_enc", "loss_bbox", "lr", "class_error"];
  expect(names(columns)).toEqual(["loss_ce", "loss_bbox", "loss_giou"]);
});

test("a term that is not known is shown under its own name, also where it begins or ends like another", () => {
  expect(lossTerms(["loss_area", "loss_area_0", "loss_area_dice", "loss_area_dice_enc", "loss_p_2"])).toEqual(
    ["loss_area", "loss_area_dice", "loss_p_2"].map((term) => ({ term, title: term, description: "" })),
  );
  expect(names(["loss_constructor"])).toEqual(["loss_constructor"]);
  expect(names(["loss"])).toEqual([]);
});
