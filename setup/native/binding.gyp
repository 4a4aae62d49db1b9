{
  "targets": [
    {
      "target_name": "capture",
      "sources": ["capture.c", "signals.c"],
      "defines": ["NAPI_VERSION=8"]
    }
  ]
}
