{
  "targets": [
    {
      "target_name": "capture",
      "sources": ["capture.c"],
      "defines": ["NAPI_VERSION=8"]
    }
  ]
}
