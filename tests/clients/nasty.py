"""Generates code from exported protos and imports it: what protoc takes, the runtime may refuse.

usage: nasty.py PROTO_DIR    prints one JSON object; the Rust test judges it
"""

import importlib
import json
import sys
import tempfile
from pathlib import Path

import grpc_tools
from google.protobuf import json_format
from grpc_tools import protoc

(protos,) = sys.argv[1:]
stubs = tempfile.TemporaryDirectory()
files = [str(path.relative_to(protos)) for path in Path(protos).rglob("*.proto")]
well_known = str(Path(grpc_tools.__file__).parent / "_proto")
outputs = [f"--{output}={stubs.name}" for output in ("python_out", "grpc_python_out", "pyi_out")]
if protoc.main(["protoc", f"-I{protos}", f"-I{well_known}", *outputs, *files]) != 0:
    sys.exit("the exported protos do not compile")
sys.path.insert(0, stubs.name)
pb = importlib.import_module("api.v1.api_pb2")
importlib.import_module("api.v1.api_pb2_grpc")

patient = pb.Patient()
for field in pb.Patient.DESCRIPTOR.fields:
    if field.type == field.TYPE_STRING and not field.is_repeated:
        setattr(patient, field.name, field.name)
text = json_format.MessageToJson(patient)
assert json_format.Parse(text, pb.Patient()) == patient, text
print(json.dumps({"messages": len(pb.DESCRIPTOR.message_types_by_name), "patient": json.loads(text)}))
