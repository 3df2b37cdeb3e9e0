"""Which changes of an API's description break those who use it."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tandem.platform.http.compatibility import breaking_changes

_API: dict[str, Any] = {
    "paths": {
        "/things": {
            "post": {
                "parameters": [{"in": "query", "name": "page", "schema": {"type": "integer"}}],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Ask"}}
                    },
                },
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Tell"}}
                        }
                    }
                },
            }
        }
    },
    "components": {
        "schemas": {
            "Ask": {
                "type": "object",
                "required": ["size"],
                "properties": {
                    "size": {"type": "integer", "maximum": 10},
                    "colour": {"enum": ["red", "blue"]},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}},
                },
            },
            "Tell": {
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": {"type": "string"},
                    "state": {"enum": ["new", "old"]},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}},
                },
            },
            "Part": {"type": "object", "properties": {"name": {"type": "string"}}},
        }
    },
}

type Change = Callable[[dict[str, Any], dict[str, Any]], object]


def _changed(change: Change) -> list[str]:
    new = copy.deepcopy(_API)
    change(new["paths"]["/things"], new["components"]["schemas"])
    return breaking_changes(_API, new)


@pytest.mark.parametrize(
    "change",
    [
        lambda _paths, schemas: schemas["Tell"]["properties"].update(more={"type": "string"}),
        lambda _paths, schemas: schemas["Ask"]["properties"].update(more={"type": "string"}),
        lambda _paths, schemas: schemas["Ask"].update(required=[]),
        lambda _paths, schemas: schemas["Ask"]["properties"]["size"].update(maximum=20),
        lambda _paths, schemas: schemas["Ask"]["properties"]["colour"]["enum"].append("green"),
        lambda paths, _schemas: paths.update(get={"responses": {}}),
        lambda paths, _schemas: paths["post"]["responses"].update({"503": {}}),
    ],
)
def test_growth_breaks_nobody(change: Change) -> None:
    """Additions to answers, and wider requests, are compatible."""
    assert _changed(change) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda paths, _: paths.pop("post"), "is gone"),
        (lambda _, s: s["Tell"]["properties"].pop("id"), "no longer says 200.id"),
        (lambda _, s: s["Tell"].update(required=[]), "200.id may now be missing"),
        (lambda _, s: s["Tell"]["properties"]["id"].update(type="integer"), "200.id was string"),
        (lambda _, s: s["Tell"]["properties"]["state"]["enum"].append("x"), "now says x"),
        (lambda _, s: s["Ask"]["required"].append("colour"), "now demands colour"),
        (lambda _, s: s["Ask"]["properties"].pop("colour"), "no longer takes colour"),
        (lambda _, s: s["Ask"]["properties"]["colour"]["enum"].pop(), "no longer takes blue"),
        (lambda _, s: s["Ask"]["properties"]["size"].update(maximum=5), "maximum 5"),
        (lambda _, s: s["Ask"]["properties"]["size"].update(minimum=1), "minimum 1"),
        (lambda _, s: s["Part"]["properties"].pop("name"), "no longer takes parts[].name"),
        (lambda p, _: p["post"]["responses"].pop("200"), "no longer answers 200"),
        (lambda p, _: p["post"]["requestBody"]["content"].clear(), "no longer takes application"),
        (lambda p, _: p["post"]["parameters"].clear(), "no longer takes the parameter page"),
        (
            lambda p, _: p["post"]["parameters"].append(
                {"in": "query", "name": "x", "required": True}
            ),
            "now demands the parameter x",
        ),
    ],
)
def test_everything_else_does(change: Change, fault: str) -> None:
    """Each breaking change is found and named."""
    assert any(fault in line for line in _changed(change))
