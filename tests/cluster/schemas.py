#!/usr/bin/env python3
"""Makes JSON schemas for kubeconform, as strict as the API server is with fields that it does not know.

    schemas.py OUTDIR swagger.json   from Kubernetes' own OpenAPI document
    schemas.py OUTDIR crd.json       from a CustomResourceDefinition (JSON; a List of them works too)

One file per kind, named as kubeconform asks for it: deployment-apps-v1.json, service-v1.json.
"""

import json
import os
import sys

INT_OR_STRING = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
SPECIAL = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": INT_OR_STRING,
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"anyOf": [{"type": "string"}, {"type": "number"}]},
}
OPEN = ("additionalProperties", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource")


def strict(schema):
    """Unknown fields are an error; a field that need not be there may be null."""
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return INT_OR_STRING
    out = {k: v for k, v in schema.items() if not k.startswith("x-") and k not in ("description", "default", "format")}
    needed = schema.get("required", [])
    if "properties" in schema:
        properties = {k: strict(v) for k, v in schema["properties"].items()}
        out["properties"] = {k: v if k in needed else {"anyOf": [v, {"type": "null"}]} for k, v in properties.items()}
        if not any(k in schema for k in OPEN):
            out["additionalProperties"] = False
    for k in ("items", "additionalProperties", "not"):
        if k in out:
            out[k] = strict(out[k])
    for k in ("allOf", "anyOf", "oneOf"):
        # these only add conditions on fields that are declared one level up: they must not close the object
        if k in out:
            out[k] = [{n: v for n, v in s.items() if n in ("required", "not")} or True for s in out[k]]
    return out


def refs(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):  # JSONSchemaProps has a property of this name
            yield node["$ref"].rsplit("/", 1)[1]
        for value in node.values():
            yield from refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from refs(value)


def write(out, kind, group, version, schema):
    name = "-".join(part for part in (kind, group.split(".")[0], version) if part).lower() + ".json"
    with open(os.path.join(out, name), "w") as file:
        json.dump(schema, file)


def closure_of(name, definitions):
    """The definition and all that it refers to."""
    todo, closure = [name], {}
    while todo:
        current = todo.pop()
        if current not in closure:
            closure[current] = definitions[current]
            todo += refs(definitions[current])
    return closure


def from_openapi(out, document):
    count = 0
    definitions = {k: SPECIAL.get(k) or strict(v) for k, v in document["definitions"].items()}
    for name, schema in document["definitions"].items():
        kinds = schema.get("x-kubernetes-group-version-kind", [])
        if len(kinds) != 1 or "kind" not in schema.get("properties", {}):
            continue  # DeleteOptions and the like belong to every group, and to no manifest
        top = {"$ref": "#/definitions/" + name, "definitions": closure_of(name, definitions)}
        write(out, kinds[0]["kind"], kinds[0]["group"], kinds[0]["version"], top)
        count += 1
    return count


def from_crd(out, crd):
    for version in crd["spec"]["versions"]:
        schema = strict(version["schema"]["openAPIV3Schema"])
        if "properties" in schema:
            text = {"type": "string"}
            schema["properties"].update({"apiVersion": text, "kind": text, "metadata": {"type": "object"}})
        write(out, crd["spec"]["names"]["kind"], crd["spec"]["group"], version["name"], schema)
    return len(crd["spec"]["versions"])


def main():
    out, source = sys.argv[1:]
    os.makedirs(out, exist_ok=True)
    with open(source) as file:
        document = json.load(file)
    if "definitions" in document:
        made = from_openapi(out, document)
    else:
        made = sum(from_crd(out, crd) for crd in document.get("items", [document]))
    print(f"{made} schemas in {out}")


if __name__ == "__main__":
    main()
