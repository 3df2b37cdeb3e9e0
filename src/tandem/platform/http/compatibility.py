"""What in a newer OpenAPI description breaks those who go by the older one.

An answer may grow and a request may demand less: members, routes and media types may be added to
what we say; what we take may only become wider. Everything else breaks somebody. References within
a description are followed, so that a change in a shared schema is found at every use.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

type Json = Mapping[str, Any]

_BOUNDS_MAX: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_BOUNDS_MIN: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_DEPTH_MAX: Final = 40


def breaking_changes(old: Json, new: Json) -> list[str]:
    """Return one line for each change that breaks callers, in the order of the older paths."""
    return [
        f"{method.upper()} {path}: {fault}"
        for path, methods in old.get("paths", {}).items()
        for method, operation in methods.items()
        for fault in _operation(old, new, operation, new.get("paths", {}).get(path, {}).get(method))
    ]


def _operation(old: Json, new: Json, before: Json, after: Json | None) -> Iterator[str]:
    if after is None:
        yield "is gone"
        return
    known = {(one["in"], one["name"]): one for one in after.get("parameters", ())}
    asked = {(one["in"], one["name"]): one for one in before.get("parameters", ())}
    for key, parameter in asked.items():
        if key not in known:
            yield f"no longer takes the parameter {key[1]}"
            continue
        there = _Pair(old, new, parameter.get("schema", {}), known[key].get("schema", {}))
        yield from _taken(there, key[1])
    for key, parameter in known.items():
        if parameter.get("required") and not asked.get(key, {}).get("required"):
            yield f"now demands the parameter {key[1]}"
    yield from _contents(old, new, before, after)


def _contents(old: Json, new: Json, before: Json, after: Json) -> Iterator[str]:
    bodies = (before.get("requestBody", {}), after.get("requestBody", {}))
    if bodies[1].get("required") and not bodies[0].get("required"):
        yield "now demands a body"
    for media_type, content in bodies[0].get("content", {}).items():
        there = bodies[1].get("content", {}).get(media_type)
        if there is None:
            yield f"no longer takes {media_type}"
            continue
        yield from _taken(_Pair(old, new, content.get("schema", {}), there.get("schema", {})), "")
    for status, response in before.get("responses", {}).items():
        answered = after.get("responses", {}).get(status)
        if answered is None:
            yield f"no longer answers {status}"
            continue
        for media_type, content in response.get("content", {}).items():
            told = answered.get("content", {}).get(media_type)
            if told is None:
                yield f"no longer answers {status} as {media_type}"
                continue
            pair = _Pair(old, new, content.get("schema", {}), told.get("schema", {}))
            yield from _told(pair, str(status))


class _Pair:
    """Two schemas at the same place, with references followed."""

    def __init__(self, old: Json, new: Json, before: Json, after: Json, depth: int = 0) -> None:
        self.old, self.new, self.depth = old, new, depth
        self.before, self.after = _followed(old, before), _followed(new, after)

    def inner(self, before: Json, after: Json) -> "_Pair":
        return _Pair(self.old, self.new, before, after, self.depth + 1)

    def members(self) -> Iterator[tuple[str, Json, Json | None]]:
        after = self.after.get("properties", {})
        for name, schema in self.before.get("properties", {}).items():
            yield name, schema, after.get(name)

    def nested(self) -> "_Pair | None":
        if self.depth > _DEPTH_MAX or not ("items" in self.before and "items" in self.after):
            return None
        return self.inner(self.before["items"], self.after["items"])


def _taken(pair: _Pair, where: str) -> Iterator[str]:
    """What we take may only become wider."""
    if pair.depth > _DEPTH_MAX:
        return
    yield from _types(pair, where)
    gone = set(_values(pair.before)) - set(_values(pair.after))
    if _values(pair.after) and gone:
        yield f"{where} no longer takes {', '.join(sorted(map(str, gone)))}"
    for names, is_tighter in ((_BOUNDS_MAX, float.__lt__), (_BOUNDS_MIN, float.__gt__)):
        for name in names:
            bound, before = pair.after.get(name), pair.before.get(name)
            if bound is not None and (before is None or is_tighter(float(bound), float(before))):
                yield f"{where} is held to {name} {bound}"
    added = set(pair.after.get("required", ())) - set(pair.before.get("required", ()))
    for name in sorted(added):
        yield f"now demands {_inside(where, name)}"
    for name, before, after in pair.members():
        if after is None:
            yield f"no longer takes {_inside(where, name)}"
        else:
            yield from _taken(pair.inner(before, after), _inside(where, name))
    if (nested := pair.nested()) is not None:
        yield from _taken(nested, f"{where}[]")


def _told(pair: _Pair, where: str) -> Iterator[str]:
    """What we say may only grow, and by no value of an enumeration that is not expected."""
    if pair.depth > _DEPTH_MAX:
        return
    yield from _types(pair, where)
    added = set(_values(pair.after)) - set(_values(pair.before))
    if _values(pair.before) and added:
        yield f"{where} now says {', '.join(sorted(map(str, added)))}"
    still = set(pair.after.get("required", ()))
    for name in pair.before.get("required", ()):
        if name not in still:
            yield f"{_inside(where, name)} may now be missing"
    for name, before, after in pair.members():
        if after is None:
            yield f"no longer says {_inside(where, name)}"
        else:
            yield from _told(pair.inner(before, after), _inside(where, name))
    if (nested := pair.nested()) is not None:
        yield from _told(nested, f"{where}[]")


def _types(pair: _Pair, where: str) -> Iterator[str]:
    before, after = pair.before.get("type"), pair.after.get("type")
    if before is not None and after is not None and before != after:
        yield f"{where} was {before} and is {after}"


def _values(schema: Json) -> tuple[Any, ...]:
    return (schema["const"],) if "const" in schema else tuple(schema.get("enum", ()))


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _followed(document: Json, schema: Json) -> Json:
    for _ in range(_DEPTH_MAX):
        reference = schema.get("$ref")
        if reference is None:
            return schema
        schema = document
        for step in reference.removeprefix("#/").split("/"):
            schema = schema[step]
    return schema
