// What workers do together, on threads that may wait for long.

#pragma once

#include <cstdint>
#include <string>
#include "library.h"

/** A graph that several workers run together, as `graph`, a GraphDef, says; `node` is asked for. Returns its number. */
int open_session(std::string graph, std::string config, std::string target, std::string node);

/** Run it once; one run of a session at a time. Returns what is wrong, or nothing. */
std::string run_session(int number);

/** Receive a number that is broadcast in a group of workers. Returns what is wrong, or nothing. */
std::string receive_broadcast(TFE_Context* context, int32_t size, int32_t group, int32_t key);
