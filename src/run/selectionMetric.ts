// Which metric says what the best evaluation of a run is.

/** What `early_stopping` of a recipe, as plain data, judges by; AP50:95 where it does not say. */
export function metricOf({ early_stopping: stopping }: Record<string, unknown>): string {
  const metric = (stopping as { metric?: unknown } | null | undefined)?.metric;
  return typeof metric === "string" ? metric : "AP50:95";
}
