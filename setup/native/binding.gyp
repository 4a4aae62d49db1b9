{
  "targets": [
    {
      "target_name": "capture",
      "sources": ["capture.c", "signals.c"],
      "defines": ["NAPI_VERSION=8"]
    },
    {
      "target_name": "image",
      "sources": ["image.c"],
      "defines": ["NAPI_VERSION=8"]
    }
  ]
}
