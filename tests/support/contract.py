"""Checks JSON against the schemas of an OpenAPI contract: the part of JSON Schema that ours use."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_TYPES: Mapping[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
_KNOWN = frozenset(
    {
        *("$ref", "type", "const", "enum", "oneOf", "properties", "required", "items"),
        *("additionalProperties", "minimum", "maximum", "exclusiveMinimum", "minLength"),
        *("minItems", "maxItems", "description", "default", "format"),
    }
)


class Contract:
    """One OpenAPI document."""

    def __init__(self, name: str) -> None:
        path = Path(__file__).parents[2] / "contracts" / f"{name}.json"
        self.document: dict[str, Any] = json.loads(path.read_text())

    def schema(self, name: str) -> dict[str, Any]:
        """Return a named schema."""
        found: dict[str, Any] = self.document["components"]["schemas"][name]
        return found

    def operation(self, path: str) -> dict[str, Any]:
        """Return the POST operation of a path."""
        found: dict[str, Any] = self.document["paths"][path]["post"]
        return found

    def answer_schema(self, path: str, status: int, media_type: str) -> dict[str, Any]:
        """Return what an answer must look like; a KeyError means that there is no such answer."""
        response = self.operation(path)["responses"][str(status)]
        found: dict[str, Any] = response["content"][media_type]["schema"]
        return found

    def check(self, schema: Mapping[str, Any], value: Any, where: str = "$") -> None:
        """Assert that a value is as a schema says."""
        assert schema.keys() <= _KNOWN, f"{where}: the check does not know all of {set(schema)}"
        if "$ref" in schema:
            self.check(self.schema(schema["$ref"].rpartition("/")[2]), value, where)
            return
        if "oneOf" in schema:
            fitting = [option for option in schema["oneOf"] if self._fits(option, value, where)]
            assert len(fitting) == 1, f"{where}: {len(fitting)} alternatives fit"
            return
        self._check_scalar(schema, value, where)
        if isinstance(value, list):
            self._check_array(schema, value, where)
        if isinstance(value, dict):
            self._check_object(schema, value, where)

    def _fits(self, schema: Mapping[str, Any], value: Any, where: str) -> bool:
        try:
            self.check(schema, value, where)
        except AssertionError:
            return False
        return True

    def _check_scalar(self, schema: Mapping[str, Any], value: Any, where: str) -> None:
        if "const" in schema:
            assert value == schema["const"], f"{where}: {value!r}"
        if "enum" in schema:
            assert value in schema["enum"], f"{where}: {value!r}"
        names = schema.get("type", [])
        names = [names] if isinstance(names, str) else names
        if names:
            allowed = tuple(_TYPES[name] for name in names)
            is_type = any(isinstance(value, kind) for kind in allowed)
            is_number = not isinstance(value, bool) or "boolean" in names
            assert is_type, f"{where}: {value!r} is not {names}"
            assert is_number, f"{where}: {value!r} is not {names}"
        if "minimum" in schema:
            assert value >= schema["minimum"], f"{where}: {value!r}"
        if "exclusiveMinimum" in schema:
            assert value > schema["exclusiveMinimum"], f"{where}: {value!r}"
        if "maximum" in schema:
            assert value <= schema["maximum"], f"{where}: {value!r}"
        assert not isinstance(value, str) or len(value) >= schema.get("minLength", 0), where

    def _check_array(self, schema: Mapping[str, Any], value: list[Any], where: str) -> None:
        assert schema.get("minItems", 0) <= len(value), where
        assert len(value) <= schema.get("maxItems", len(value)), where
        for index, item in enumerate(value):
            self.check(schema.get("items", {}), item, f"{where}[{index}]")

    def _check_object(self, schema: Mapping[str, Any], value: dict[str, Any], where: str) -> None:
        properties = schema.get("properties", {})
        missing = [name for name in schema.get("required", []) if name not in value]
        assert not missing, f"{where}: {missing} are missing"
        unknown = value.keys() - properties.keys()
        assert not unknown or schema.get("additionalProperties", True), f"{where}: {unknown}"
        for name, item in value.items():
            self.check(properties.get(name, {}), item, f"{where}.{name}")
