"""Holds schemas/asyncapi.yaml to the JSON schema that AsyncAPI publishes, and its references to what there is.

    asyncapi.py DOCUMENT SCHEMA
"""

import json
import pathlib
import sys

import jsonschema_rs
import yaml

document_path, schema_path = map(pathlib.Path, sys.argv[1:])
document = yaml.safe_load(document_path.read_text("utf-8"))
schema = json.loads(schema_path.read_text("utf-8"))
faults = [f"/{'/'.join(map(str, error.instance_path))}: {error.message}" for error in jsonschema_rs.Draft7Validator(schema).iter_errors(document)]


def resolve(reference, of):
    """What a reference names; KeyError or OSError where there is nothing."""
    file, _, pointer = reference.partition("#")
    found = yaml.safe_load((document_path.parent / file).read_text("utf-8")) if file else of
    for step in pointer.split("/")[1:]:
        found = found[step.replace("~1", "/").replace("~0", "~")]


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


count = 0
for reference in references(document):
    count += 1
    try:
        resolve(reference, document)
    except (KeyError, OSError) as fault:
        faults.append(f"{reference}: {fault!r}")
for fault in faults:
    print(fault, file=sys.stderr)
print(f"asyncapi.yaml: {len(document['channels'])} channels, {count} references, {len(faults)} faults")
sys.exit(1 if faults else 0)
