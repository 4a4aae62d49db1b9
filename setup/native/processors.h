// Functions that are compiled for several processors.

#ifndef RFDETR_PROCESSORS_H
#define RFDETR_PROCESSORS_H

// One binary for all processors: the best of these is chosen when it is loaded.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

#endif
