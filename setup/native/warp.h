// The loops over pixels that move them, as functions of the addon for pictures.

#ifndef RFDETR_WARP_H
#define RFDETR_WARP_H

#include <node_api.h>

void addWarpLoops(napi_env env, napi_value exports);

#endif
