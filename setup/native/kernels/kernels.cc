#include "kernels.h"

#include <mutex>

void register_kernels() {
  static std::once_flag once; // the registry is the process's; an addon may be loaded again by a thread
  std::call_once(once, [] {
    register_norm();
    register_activation();
    register_attention();
    register_residual();
    register_deformable();
    register_optimiser();
    register_affine();
    register_narrow_attention();
    register_linear();
  });
}
