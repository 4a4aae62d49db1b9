// Rectangular linear sum assignment by shortest augmenting paths: D. F. Crouse, "On implementing 2D rectangular
// assignment algorithms", IEEE Transactions on Aerospace and Electronic Systems 52(4), 2016.

/** Where a cost matrix lies inside a larger array: element (row, column) is at `offset + row * rowStride + column * columnStride`. */
export type CostView = {
  costs: ArrayLike<number>;
  offset: number;
  rows: number;
  columns: number;
  rowStride: number;
  columnStride: number;
};

/** `min(rows, columns)` matched pairs, sorted by row. */
export type Assignment = { rows: Int32Array; columns: Int32Array };

/**
 * The pairing of rows with columns that has the least total cost; every row (or every column, whichever are fewer) is
 * paired once. Costs must be finite. Ties are broken as SciPy's `linear_sum_assignment` breaks them, so that the same
 * costs give the same pairs.
 */
export function assign({ costs, offset, rows, columns, rowStride, columnStride }: CostView): Assignment {
  // The search goes from the smaller side ("agents") to the larger one ("tasks").
  if (columns < rows) {
    const taskOf = solve(costs, offset, columns, rows, columnStride, rowStride);
    const order = Int32Array.from(taskOf.keys()).sort((a, b) => taskOf[a]! - taskOf[b]!);
    return { rows: order.map((agent) => taskOf[agent]!), columns: order };
  }
  return {
    rows: Int32Array.from({ length: rows }, (_, i) => i),
    columns: solve(costs, offset, rows, columns, rowStride, columnStride),
  };
}

/** The task of each agent; `agents <= tasks`. */
function solve(
  costs: ArrayLike<number>,
  offset: number,
  agents: number,
  tasks: number,
  agentStride: number,
  taskStride: number,
): Int32Array {
  const agentDual = new Float64Array(agents);
  const taskDual = new Float64Array(tasks);
  const taskOf = new Int32Array(agents).fill(-1);
  const agentOf = new Int32Array(tasks).fill(-1);
  const distance = new Float64Array(tasks); // of the shortest path found to each task
  const cameFrom = new Int32Array(tasks); // the agent before the task on that path
  const open = new Int32Array(tasks); // tasks not yet on the tree; the tail is re-used for those that are
  for (let start = 0; start < agents; start++) {
    distance.fill(Number.POSITIVE_INFINITY);
    // Highest index first: a constant matrix then gives the identity.
    for (let k = 0; k < tasks; k++) open[k] = tasks - 1 - k;
    let openCount = tasks;
    let agent = start;
    let reached = 0; // length of the shortest path to the newest task of the tree
    let sink = -1;
    while (sink < 0) {
      const base = offset + agent * agentStride;
      const dual = agentDual[agent]!;
      let nearest = -1;
      let least = Number.POSITIVE_INFINITY;
      for (let k = 0; k < openCount; k++) {
        const task = open[k]!;
        const length = reached + costs[base + task * taskStride]! - dual - taskDual[task]!;
        let best = distance[task]!;
        if (length < best) {
          best = length;
          distance[task] = length;
          cameFrom[task] = agent;
        }
        // Among equals a free task is preferred: it ends the search.
        if (best < least || (best === least && agentOf[task]! < 0)) {
          least = best;
          nearest = k;
        }
      }
      if (nearest < 0) throw new Error("Assignment needs finite costs.");
      reached = least;
      const task = open[nearest]!;
      open[nearest] = open[--openCount]!;
      open[openCount] = task;
      if (agentOf[task]! < 0) sink = task;
      else agent = agentOf[task]!;
    }
    agentDual[start] = agentDual[start]! + reached;
    for (let k = openCount; k < tasks; k++) {
      const task = open[k]!;
      const slack = reached - distance[task]!;
      taskDual[task] = taskDual[task]! - slack;
      const owner = agentOf[task]!;
      if (owner >= 0) agentDual[owner] = agentDual[owner]! + slack;
    }
    // Flip the path: each task on it goes to the agent it was reached from.
    for (let task = sink; ; ) {
      const owner = cameFrom[task]!;
      agentOf[task] = owner;
      const previous = taskOf[owner]!;
      taskOf[owner] = task;
      if (owner === start) break;
      task = previous;
    }
  }
  return taskOf;
}
