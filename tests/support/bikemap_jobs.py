"""Bikemap's jobs on a real socket, scripted: what it takes, what it counts, what it tells.

Items are answered as `routes:compute` answers them; the n-th item from the left gets a route as
long as the way between its own ends, so that an answer can be told from another item's.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.support.fault_server import FaultServer, Reply, Seen, json_reply
from tests.support.routing import between, encode_line, problem

from tandem.platform.webhooks.signing import read_secret, sign
from tandem.routing.domain.coordinate import Coordinate, great_circle_m
from tandem.routing.providers.bikemap_v2 import COMPUTE_PATH, TOKEN_PATH

JOBS_PATH = "/v2/jobs"
PAGE_ITEMS = 7


def route_for(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the straight route between the ends of a request in the contract's words."""
    ends = asked["waypoints"][0], asked["waypoints"][-1]
    start, end = (Coordinate(one["lon"], one["lat"]) for one in ends)
    distance_m = great_circle_m(start, end)
    leg = {"distance_m": distance_m, "duration_s": distance_m / 4, "begin": 0, "end": 2}
    line = encode_line(between(start, end))
    return {
        "id": "rt_1",
        "distance_m": distance_m,
        "duration_s": distance_m / 4,
        "ascent_m": 5.0,
        "descent_m": 3.0,
        "geometry": {"format": "polyline6", "dims": 2, "polyline": line},
        "bbox": [min(start.lon, end.lon), min(start.lat, end.lat), max(start.lon, end.lon),
                 max(start.lat, end.lat)],
        "legs": [{**leg, "steps": []}],
        "segments": [],
    }  # fmt: skip


def compute(seen: Seen) -> Reply:
    """Answer a question about one route."""
    asked = json.loads(seen.body)
    answer = {"routes": [route_for(asked)], "waypoints": [], "warnings": [], "data_version": "1"}
    return json_reply(200, {**answer, "attribution": ["© Test"]})


@dataclass
class RemoteJob:
    """A job as Bikemap has it."""

    body: bytes
    status: str = "running"
    refused: dict[int, str] = field(default_factory=dict)
    """Items that end in an error, and its code."""


@dataclass
class Bikemap:
    """The other side. `before` sees each request and may answer in the place of all else."""

    finish_at_once: bool = True
    hint_s: str = "0"
    before: Callable[[Seen], Reply | None] = lambda _seen: None
    compute: Callable[[Seen], Reply] = compute
    jobs: dict[str, RemoteJob] = field(default_factory=dict)
    """By idempotency key; the id is `job_` and the key."""
    sends: list[str] = field(default_factory=list)
    """The key of each submission that came in, also of those that were there already."""
    looks: int = 0

    def serving(self) -> FaultServer:
        """Make its server."""
        return FaultServer(self.answer)

    def answer(self, seen: Seen) -> Reply:
        """Answer a request."""
        instead = self.before(seen)
        if instead is not None:
            return instead
        path = urlsplit(seen.path).path
        if path == TOKEN_PATH:
            token = {"access_token": "t", "token_type": "Bearer", "expires_in": 3_600}
            return json_reply(200, token)
        if path == COMPUTE_PATH:
            return self.compute(seen)
        if path == JOBS_PATH:
            return self._take(seen)
        return self._about(seen, path.removeprefix(f"{JOBS_PATH}/"))

    def _take(self, seen: Seen) -> Reply:
        key = seen.headers["idempotency-key"]
        self.sends.append(key)
        job = self.jobs.setdefault(key, RemoteJob(seen.body))
        if job.body != seen.body:
            return problem(409, "idempotency.mismatch")
        if self.finish_at_once:
            self.finish(key)
        return json_reply(202, {"id": f"job_{key}", "status": "queued"}, Retry_After=self.hint_s)

    def _about(self, seen: Seen, rest: str) -> Reply:
        name, _, part = rest.partition("/")
        job = self.jobs.get(name.removeprefix("job_"))
        if job is None:
            return problem(404, "job.not_found")
        if seen.method == "DELETE":
            job.status = "cancelled"
            return Reply(204)
        if part == "results":
            return self._results(job, urlsplit(seen.path).query)
        self.looks += 1
        return json_reply(200, {"id": name, "status": job.status}, Retry_After=self.hint_s)

    def _results(self, job: RemoteJob, query: str) -> Reply:
        items = json.loads(job.body)["items"]
        first = int(query.removeprefix("cursor=") or 0)
        page = []
        for index in range(first, min(first + PAGE_ITEMS, len(items))):
            if index in job.refused:
                error = {"code": job.refused[index], "errors": [{"point_index": 1}]}
                page.append({"index": index, "status": "error", "error": error})
            else:
                page.append({"index": index, "status": "ok", "route": route_for(items[index])})
        after = first + PAGE_ITEMS
        cursor = str(after) if after < len(items) else None
        return json_reply(200, {"items": page, "next_cursor": cursor, "attribution": ["© Test"]})

    def finish(self, key: str, status: str = "succeeded") -> None:
        """Let a job come to its end."""
        self.jobs[key].status = status


def message(
    key: str, secrets: list[str], sent_at_s: int, message_id: str = "msg_1"
) -> tuple[dict[str, str], bytes]:
    """Write the message that a job has ended: headers and body."""
    body = json.dumps({"type": "job.succeeded", "data": {"job_id": f"job_{key}"}}).encode()
    return sign([read_secret(secret) for secret in secrets], message_id, sent_at_s, body), body
