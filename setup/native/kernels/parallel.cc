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
  const int64_t count, parts;
  std::atomic<int64_t> next{0};
  int64_t helpers = 0; // under the pool's mutex

  bool has_more() const { return next < parts; }

  void help() {
    for (int64_t part = next++; part < parts; part = next++) work(count * part / parts, count * (part + 1) / parts);
  }
};

/**
 * Threads that help with loops. They live as long as the process, which does not wait for them at its end. Several loops may be under way,
 * each with the thread that it belongs to; one more helps only while all of these together are fewer than `threads`.
 */
class Pool {
 public:
  Pool() : threads(allowed_threads()) {
    for (int64_t i = 1; i < threads; i++) std::thread([this] { serve(); }).detach();
  }

  void run(Loop& loop) {
    std::unique_lock<std::mutex> held(mutex);
    loops.push_back(&loop);
    const bool room = has_room();
    held.unlock();
    if (room) wake.notify_all();
    loop.help();
    held.lock();
    loops.erase(std::find(loops.begin(), loops.end(), &loop));
    idle.wait(held, [&] { return loop.helpers == 0; });
  }

  const int64_t threads;

 private:
  bool has_room() const { return static_cast<int64_t>(loops.size()) + helpers < threads; }

  /** The loop that most needs help, if any does and there is room for a helper. */
  Loop* needy() const {
    Loop* found = nullptr;
    for (Loop* loop : loops)
      if (loop->has_more() && (!found || loop->helpers < found->helpers)) found = loop;
    return has_room() ? found : nullptr;
  }

  void serve() {
    std::unique_lock<std::mutex> held(mutex);
    for (Loop* loop = nullptr;;) {
      wake.wait(held, [&] { return (loop = needy()) != nullptr; });
      helpers++, loop->helpers++;
      held.unlock();
      loop->help();
      held.lock();
      helpers--, loop->helpers--;
      if (loop->helpers == 0) idle.notify_all();
    }
  }

  std::mutex mutex;
  std::condition_variable wake, idle;
  std::vector<Loop*> loops;
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
  if (pool.threads < 2 || parts < 2) {
    if (count > 0) work(0, count);
    return;
  }
  Loop loop{work, count, parts};
  pool.run(loop);
}
