// Memory for numbers in between, which is used again.

#pragma once

#include <cstdint>
#include <vector>

/** It begins where a line of the cache does, so that no vector lies across two. */
class Scratch {
 public:
  /** Room for so many numbers. What was there is lost where it has to grow. */
  float* of(int64_t size) {
    constexpr int64_t kLine = 64 / sizeof(float);
    if (static_cast<int64_t>(memory.size()) < size + kLine) memory.resize(size + kLine);
    const uintptr_t place = reinterpret_cast<uintptr_t>(memory.data());
    return reinterpret_cast<float*>((place + 63) / 64 * 64);
  }

 private:
  std::vector<float> memory;
};
