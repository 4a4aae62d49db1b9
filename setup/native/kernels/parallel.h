// A loop shared out to the threads that TensorFlow may use for an operation.

#pragma once

#include <cstdint>
#include <functional>

/**
 * Calls `work(begin, end)` for parts that make up 0 to `count`, at least `grain` indices each where there are as many, and returns when all
 * are done. What a part computes must not depend on where it begins or ends.
 */
void parallel_for(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& work);

/** Threads that share a loop. */
int64_t thread_count();
