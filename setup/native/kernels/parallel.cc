#include "parallel.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sched.h>
#endif

namespace {

int64_t allowed_threads() {
  const char* given = std::getenv("TF_NUM_INTRAOP_THREADS");
  const int64_t asked = given ? std::atoll(given) : 0;
  if (asked > 0) return asked;
#ifdef __linux__
  cpu_set_t processors;
  if (sched_getaffinity(0, sizeof processors, &processors) == 0) return CPU_COUNT(&processors);
#endif
  const int64_t found = std::thread::hardware_concurrency();
  return found > 0 ? found : 1;
}

/** A loop that is under way: its parts are taken one after the other by whoever is free. */
struct Loop {
  const std::function<void(int64_t, int64_t)>& work;
  int64_t count, parts;
  std::atomic<int64_t> next{0}, left;

  Loop(const std::function<void(int64_t, int64_t)>& work, int64_t count, int64_t parts)
      : work(work), count(count), parts(parts), left(parts) {}

  void help() {
    for (int64_t part = next++; part < parts; part = next++) {
      work(count * part / parts, count * (part + 1) / parts);
      left--;
    }
  }
};

/** Threads that wait for loops. They live as long as the process, which does not wait for them at its end. */
class Pool {
 public:
  Pool() : threads(allowed_threads()) {
    for (int64_t i = 1; i < threads; i++) std::thread([this] { serve(); }).detach();
  }

  void run(Loop& loop) {
    {
      std::lock_guard<std::mutex> held(mutex);
      current = &loop;
      round++;
    }
    wake.notify_all();
    loop.help();
    std::unique_lock<std::mutex> held(mutex);
    current = nullptr;
    idle.wait(held, [&] { return loop.left == 0 && helpers == 0; });
  }

  const int64_t threads;
  std::mutex turn; // one loop at a time; another thread's is done by that thread alone

 private:
  void serve() {
    std::unique_lock<std::mutex> held(mutex);
    for (uint64_t seen = 0;;) {
      wake.wait(held, [&] { return current != nullptr && round != seen; });
      seen = round;
      Loop& loop = *current;
      helpers++;
      held.unlock();
      loop.help();
      held.lock();
      helpers--;
      idle.notify_one();
    }
  }

  std::mutex mutex;
  std::condition_variable wake, idle;
  Loop* current = nullptr;
  uint64_t round = 0;
  int64_t helpers = 0;
};

Pool& pool_of_process() {
  static Pool& pool = *new Pool; // never destroyed: its threads outlive everything
  return pool;
}

}  // namespace

int64_t thread_count() { return pool_of_process().threads; }

void parallel_for(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& work) {
  Pool& pool = pool_of_process();
  const int64_t most = 4 * pool.threads; // some more than threads, for those that are late
  const int64_t parts = std::min(most, (count + grain - 1) / (grain > 0 ? grain : 1));
  std::unique_lock<std::mutex> mine(pool.turn, std::defer_lock);
  if (pool.threads < 2 || parts < 2 || !mine.try_lock()) {
    if (count > 0) work(0, count);
    return;
  }
  Loop loop(work, count, parts);
  pool.run(loop);
}
