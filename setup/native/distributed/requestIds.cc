// A process refuses a request whose id is among the last 100,000 that it has had. TensorFlow draws ids by a generator of each thread, whose
// seed has 32 bits, and runs each step of a session on a new thread: after some ten thousand steps two of them have the same seed, and a
// training ends for nothing. Loaded for all to see before TensorFlow is, our function takes the place of its own.

#include "requestIds.h"

#include <atomic>
#include <random>

namespace {

std::atomic<uint64_t> made{0};

}  // namespace

uint64_t request_ids_made() { return made; }

namespace tsl {
namespace random {

/** 64 random bits (tsl/platform/random.h). */
__attribute__((visibility("default"))) uint64_t ThreadLocalNew64() {
  std::random_device device("/dev/urandom");
  made++;
  return static_cast<uint64_t>(device()) << 32 | device();
}

}  // namespace random
}  // namespace tsl
