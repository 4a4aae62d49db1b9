{
  "targets": [
    {
      "target_name": "capture",
      "sources": ["capture.c", "signals.c"],
      "defines": ["NAPI_VERSION=8"]
    },
    {
      "target_name": "image",
      "sources": ["image.c", "colour.c", "warp.c"],
      "cflags": ["-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"],
      "defines": ["NAPI_VERSION=8"]
    },
    {
      "target_name": "distributed",
      "sources": [
        "distributed/addon.cc",
        "distributed/background.cc",
        "distributed/library.cc",
        "distributed/listen.cc",
        "distributed/requestIds.cc",
        "distributed/together.cc"
      ],
      "include_dirs": ["<(module_root_dir)/deps/include"],
      "defines": ["NAPI_VERSION=8"],
      "cflags_cc": ["-std=c++17", "-O2"]
    },
    {
      "target_name": "kernels",
      "sources": [
        "kernels/activation.cc",
        "kernels/affine.cc",
        "kernels/addon.cc",
        "kernels/attention.cc",
        "kernels/deformable.cc",
        "kernels/kernel.cc",
        "kernels/kernels.cc",
        "kernels/linear.cc",
        "kernels/narrowAttention.cc",
        "kernels/norm.cc",
        "kernels/optimiser.cc",
        "kernels/parallel.cc",
        "kernels/product.cc",
        "kernels/residual.cc"
      ],
      "include_dirs": ["<(module_root_dir)/deps/include"],
      "defines": ["NAPI_VERSION=8"],
      "cflags_cc!": ["-fno-exceptions"],
      "cflags_cc": ["-std=c++17", "-O3", "-fexceptions", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-Wno-psabi"],
      "libraries": ["-ltensorflow_framework", "-Wl,-rpath,'$$ORIGIN/../../deps/lib'"],
      "library_dirs": ["<(module_root_dir)/deps/lib"]
    }
  ]
}
