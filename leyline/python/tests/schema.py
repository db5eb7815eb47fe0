"""As much of JSON Schema as the description of the protocol uses."""

import json
import pathlib
import re

FILE = pathlib.Path(__file__).parents[2] / "protocol" / "openapi.json"

KNOWN = {
    "$ref", "type", "properties", "additionalProperties", "required", "items", "minItems", "maxItems", "minimum", "maximum", "enum", "const",
    "pattern", "oneOf", "anyOf", "allOf", "description", "title", "format", "contentEncoding", "minLength", "maxLength", "not", "default",
    "maxProperties", "minProperties", "examples", "deprecated", "if", "then", "else",
}
_TYPES = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float), "null": type(None),
}


class Schemas:
    """The schemas of a file by their names."""

    def __init__(self, path=FILE):
        self.doc = json.loads(path.read_text(encoding="utf-8"))

    def body(self, path, method="post"):
        """The schema of what is sent to a route."""
        return self.doc["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]

    def problems(self, schema, value, at="$"):
        """What is wrong with a value, as texts."""
        unknown = set(schema) - KNOWN
        if unknown:
            raise NotImplementedError(f"{at}: keywords {unknown}")
        if "$ref" in schema:
            yield from self.problems(self.doc["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], value, at)
        yield from self._type(schema, value, at)
        if "enum" in schema and value not in schema["enum"]:
            yield f"{at}: {value!r} is none of {schema['enum']}"
        if "const" in schema and value != schema["const"]:
            yield f"{at}: {value!r} is not {schema['const']!r}"
        for name in ("oneOf", "anyOf"):
            if name in schema:
                good = sum(not list(self.problems(s, value, at)) for s in schema[name])
                if good == 0 or name == "oneOf" and good > 1:
                    yield f"{at}: {value!r} is {good} of {name}"
        for s in schema.get("allOf", ()):
            yield from self.problems(s, value, at)

    def _type(self, schema, value, at):
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if kinds and not any(isinstance(value, _TYPES[k]) and not (isinstance(value, bool) and k != "boolean") for k in kinds):
            yield f"{at}: {value!r} is no {kinds}"
            return
        if isinstance(value, dict):
            yield from self._object(schema, value, at)
        elif isinstance(value, list):
            if len(value) > schema.get("maxItems", 1 << 30) or len(value) < schema.get("minItems", 0):
                yield f"{at}: {len(value)} entries"
            for i, v in enumerate(value):
                yield from self.problems(schema.get("items", {}), v, f"{at}[{i}]")
        elif isinstance(value, str):
            if "pattern" in schema and not re.search(schema["pattern"], value):
                yield f"{at}: {value!r} is not {schema['pattern']}"
        elif not isinstance(value, bool) and isinstance(value, (int, float)):
            if value < schema.get("minimum", value) or value > schema.get("maximum", value):
                yield f"{at}: {value!r} is out of range"

    def _object(self, schema, value, at):
        known = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{at}.{name} is missing"
        for name, v in value.items():
            if name in known:
                yield from self.problems(known[name], v, f"{at}.{name}")
            elif schema.get("additionalProperties", True) is False:
                yield f"{at}.{name} is not known"
