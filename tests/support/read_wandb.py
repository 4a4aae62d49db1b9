"""Prints the records of a .wandb file as JSON, a list of [kind, content], read by the wandb package's own code.

Versions of the package before 0.20 have a reader in Python; later ones have it in their program, which prints records.
"""

import json
import subprocess
import sys

from google.protobuf.json_format import MessageToDict
from wandb.proto import wandb_internal_pb2

try:
    from wandb.sdk.internal import datastore
except ImportError:
    datastore = None


def values(content, lists):
    """A list of keys with values as JSON, as one object."""
    return content | {name: {i["key"]: json.loads(i["value_json"]) for i in content[name]} for name in lists if name in content}


records = []
if datastore:
    store = datastore.DataStore()
    store.open_for_scan(sys.argv[1])
    while data := store.scan_data():
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        kind = record.WhichOneof("record_type")
        content = values(MessageToDict(getattr(record, kind), preserving_proto_field_name=True), ("item", "update"))
        if "config" in content:
            content["config"] = values(content["config"], ("update",))
        records.append([record.num, kind, content])
else:
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", sys.argv[1]]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for line in output.splitlines():
        record = json.loads(line)
        records.append([record["num"], record["type"], record[record["type"]]])
print(json.dumps(records))
