#include "library.h"
#include <dlfcn.h>
#include <type_traits>

Library library;

std::string find_library(const void* address) {
  Dl_info info;
  void* found = dladdr(address, &info) ? dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD) : nullptr;
  if (found == nullptr) return "the library that asks for a context is not found";
  std::string missing;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(found, name));
    if (function == nullptr) missing = std::string("libtensorflow has no ") + name;
  };
#define RFDETR_FIND(name) find(library.name, #name);
  RFDETR_FUNCTIONS(RFDETR_FIND)
#undef RFDETR_FIND
  find(library.TFE_NewTensorHandle, "TFE_NewTensorHandle");
  return missing;
}
