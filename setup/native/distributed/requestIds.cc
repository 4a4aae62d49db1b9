// A process refuses a request whose id is among the last 100,000 that it has had. TensorFlow draws ids by a generator of each thread, whose
// seed has 32 bits, and runs each step of a session on a new thread: after some ten thousand steps two of them have the same seed, and a
// training ends for nothing. Loaded for all to see before TensorFlow is, our function takes the place of its own.

#include "requestIds.h"

#include <sys/random.h>
#include <atomic>

namespace {

std::atomic<uint64_t> made{0};

}  // namespace

uint64_t request_ids_made() { return made; }

namespace tsl {
namespace random {

/** 64 random bits (tsl/platform/random.h). */
__attribute__((visibility("default"))) uint64_t ThreadLocalNew64() {
  uint64_t bits = 0;
  while (getrandom(&bits, sizeof bits, 0) != sizeof bits) continue; // a signal came
  made++;
  return bits;
}

}  // namespace random
}  // namespace tsl
