// The loops over pixels that change colours, as functions of the addon for pictures.

#ifndef RFDETR_COLOUR_H
#define RFDETR_COLOUR_H

#include <node_api.h>

void addColourLoops(napi_env env, napi_value exports);

#endif
