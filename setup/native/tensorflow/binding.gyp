{
  "targets": [
    {
      "target_name": "tfjs_binding",
      "sources": ["functions.cc"],
      "include_dirs": ["<(module_root_dir)/binding", "<(module_root_dir)/deps/include"],
      "defines": ["NAPI_VERSION=8"],
      "cflags_cc!": ["-fno-exceptions"],
      "cflags_cc": ["-fexceptions"],
      "libraries": ["-Wl,-rpath,'$$ORIGIN/../../deps/lib'", "-ltensorflow", "-ltensorflow_framework"],
      "library_dirs": ["<(module_root_dir)/deps/lib"]
    }
  ]
}
