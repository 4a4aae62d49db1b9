// The ids by which TensorFlow's runtime tells requests between processes apart.

#pragma once

#include <cstdint>

/** How many the runtime has asked for. */
uint64_t request_ids_made();
