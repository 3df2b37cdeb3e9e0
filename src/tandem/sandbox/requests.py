"""Reading requests within their bounds."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from tandem.sandbox import limits
from tandem.sandbox.problems import ApiProblem, Code, Fault


async def read_body(request: Request, bytes_max: int = limits.BODY_BYTES_MAX) -> bytes:
    """Return the body; past its bound nothing more is read. Raises ApiProblem."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > bytes_max:
                detail = f"a body may have {bytes_max} bytes"
                raise ApiProblem(Code.REQUEST_TOO_LARGE, detail)
    except ClientDisconnect as error:
        raise ApiProblem(Code.REQUEST_MALFORMED, "the body ended early") from error
    return bytes(body)


async def read_model[Model: BaseModel](request: Request, model: type[Model]) -> Model:
    """Return the body as a checked model. Raises ApiProblem that says what is wrong where."""
    body = await read_json_body(request)
    try:
        return model.model_validate(parse_json(body))
    except ValidationError as error:
        raise invalid(error) from error


async def read_json_body(request: Request, bytes_max: int = limits.BODY_BYTES_MAX) -> bytes:
    """Return a body that is said to be JSON. Raises ApiProblem."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise ApiProblem(Code.REQUEST_MALFORMED, "the body must be application/json")
    return await read_body(request, bytes_max)


def parse_json(body: bytes) -> Any:
    """Parse strict JSON; numbers that JSON does not know are refused. Raises ApiProblem."""
    try:
        return json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ApiProblem(Code.REQUEST_MALFORMED, "the body is not JSON") from error


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def invalid(raised: ValidationError) -> ApiProblem:
    """Say what is wrong where."""
    errors = raised.errors(include_url=False, include_input=False)
    code = Code.REQUEST_MALFORMED
    if all(error["type"] == "too_long" for error in errors):
        code = Code.REQUEST_TOO_LARGE
    shown = errors[: limits.PROBLEM_ERRORS_MAX]
    return ApiProblem(code, faults=[_fault(code, error) for error in shown])


def _fault(code: Code, error: Mapping[str, Any]) -> Fault:
    location = error["loc"]
    pointer = "".join(f"/{_escaped(str(part))}" for part in location)
    is_point = len(location) > 1 and location[0] == "waypoints" and isinstance(location[1], int)
    return Fault(pointer, code, error["msg"], location[1] if is_point else None)


def _escaped(part: str) -> str:
    """Escape for a JSON pointer, and bound what a caller's own field name can fill."""
    return part[: limits.HEADER_CHARS_MAX].replace("~", "~0").replace("/", "~1")
