// Where TensorFlow's server listens. It asks for every address of the machine, without a setting to the contrary.

#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/** From now on libtensorflow's sockets that ask for every address, at this port, get this one only (IPv4 or IPv6). False where that cannot be done. */
bool listen_only_at(const char* address, int port);

/** Whether it has asked since, and got that address. */
bool listened_only_there(void);

#ifdef __cplusplus
}
#endif
