"""Jobs as callers see them: made once a key, looked at, fetched page by page, cancelled."""

import asyncio
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tandem.platform.secrets import LiveSecrets
from tandem.platform.webhooks.addresses import UrlMalformed, check_url
from tandem.platform.webhooks.sealing import SecretBox
from tandem.platform.webhooks.signing import (
    SecretMalformed,
    WebhookInvalid,
    read_secret,
    verify_webhook,
)
from tandem.routing import limits
from tandem.routing.jobs.core import ACTIVE, JobKind, JobState, chunks_of
from tandem.routing.jobs.errors import (
    CallbackMalformed,
    CursorMalformed,
    JobNotFound,
    KeyTaken,
    NoSeal,
    ResultsExpired,
    TooManyJobs,
)
from tandem.routing.jobs.items import Item
from tandem.routing.storage.jobs.store import JobRow, JobStore, Load, NewJob, ResultRow
from tandem.routing.wire.routes import PlanRequest

_CURSOR: Final = re.compile(r"[0-9]{1,6}", re.ASCII)
_ROOM: Final = Load(limits.JOBS_QUEUED_MAX, limits.JOB_ITEMS_QUEUED_MAX)


@dataclass(frozen=True, slots=True)
class Spec:
    """What a job is to do; the callback's URL and secret are both there, or neither."""

    kind: JobKind
    items: Sequence[Item]
    callback_url: str | None = None
    callback_secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ProviderPolicy:
    """Which jobs a provider computes, where it may tell us of them, and signed with what.

    `takes` gets a job's kind and tenant. `secrets` are all that are live.
    """

    takes: Callable[[JobKind, str], bool] = lambda _kind, _tenant: False
    callback_url: str | None = None
    secrets: LiveSecrets = tuple


@dataclass(frozen=True, slots=True)
class Page:
    """Results in item order. No cursor: there are no more, and there will be no more."""

    rows: list[ResultRow]
    next_cursor: str | None


class _About(BaseModel):
    model_config = ConfigDict(extra="ignore")

    job_id: str = Field(min_length=1, max_length=limits.PROVIDER_JOB_ID_CHARS_MAX)


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore")

    data: _About


class RoutingJobs:
    """Jobs of all tenants, each of which sees its own. Every call may raise DatabaseUnavailable."""

    def __init__(
        self,
        store: JobStore,
        box: SecretBox | None,
        now: Callable[[], datetime],
        provider: ProviderPolicy | None = None,
        new_id: Callable[[], UUID] = uuid.uuid4,
    ) -> None:
        self._store = store
        self._box = box
        self._now = now
        self._provider = provider or ProviderPolicy()
        self._new_id = new_id

    async def create(self, tenant: str, key: str, spec: Spec) -> tuple[JobRow, bool]:
        """Make a job; the same key and the same job again gives that job, and True.

        Raises:
            KeyTaken: The key was used for another job.
            TooManyJobs: The tenant has as much waiting as it may.
            CallbackMalformed: The callback's URL or secret is none.
            NoSeal: There is a secret, and no key to seal it with.
        """
        # Ten thousand items take a while to write down; others have their turn meanwhile.
        job = await asyncio.to_thread(self._new, tenant, key, spec)
        made = await self._store.create(job, self._now(), _ROOM)
        if isinstance(made, Load):
            raise TooManyJobs(
                f"{made.jobs} jobs with {made.items} items are unfinished; at most "
                f"{_ROOM.jobs} and {_ROOM.items} may be"
            )
        if made.fingerprint != job.fingerprint:
            raise KeyTaken("the idempotency key was used for another job")
        return made, made.job_id != job.job_id

    async def get(self, tenant: str, job_id: str) -> JobRow:
        """Look at a job. Raises JobNotFound."""
        try:
            job = await self._store.get(UUID(job_id))
        except ValueError:
            job = None
        if job is None or job.tenant != tenant:
            raise JobNotFound(f"there is no job {job_id[:40]}")
        return job

    async def cancel(self, tenant: str, job_id: str) -> JobRow:
        """Cancel a job; one that has finished stays as it is. Raises JobNotFound."""
        job = await self.get(tenant, job_id)
        await self._store.move(job.job_id, JobState.CANCELLED, self._now())
        return await self.get(tenant, job_id)

    async def results(
        self,
        tenant: str,
        job_id: str,
        cursor: str | None = None,
        limit: int = limits.JOB_PAGE_ITEMS,
    ) -> Page:
        """Fetch results in item order; of a job that goes on, those up to the first gap.

        Raises:
            JobNotFound: There is no such job.
            ResultsExpired: They are kept no longer.
            CursorMalformed: The cursor is none of ours.
        """
        first = _index(cursor)
        job = await self.get(tenant, job_id)
        rows = await self._store.results(job.job_id, first, limit)
        if job.state is JobState.EXPIRED or (
            # They may have expired between the two reads.
            not rows and job.finished_at and await self._is_expired(job.job_id)
        ):
            raise ResultsExpired("the results were kept for their time, and are gone")
        if job.state in ACTIVE:
            rows = [row for at, row in enumerate(rows, first) if row.index == at]
            return Page(rows, str(first + len(rows)))
        after = rows[-1].index + 1 if rows else job.counts.items
        return Page(rows, str(after) if after < job.counts.items else None)

    async def receive(self, headers: Mapping[str, str], body: bytes) -> None:
        """Take a provider's message as a hint to look at its job. Raises WebhookInvalid.

        It is believed in nothing else, so a repeated or delayed one does no harm.
        """
        try:
            live = [secret.get_secret_value() for secret in self._provider.secrets()]
            message_id = verify_webhook(live, headers, body, self._now())
            message = _Message.model_validate_json(body)
        except (SecretMalformed, ValidationError) as error:
            raise WebhookInvalid("the message is none of a job") from error
        if len(message_id) > limits.WEBHOOK_ID_CHARS_MAX:
            raise WebhookInvalid("the message's id is too long")
        await self._store.hint(message_id, message.data.job_id, self._now())

    async def _is_expired(self, job_id: UUID) -> bool:
        job = await self._store.get(job_id)
        return job is None or job.state is JobState.EXPIRED

    def _new(self, tenant: str, key: str, spec: Spec) -> NewJob:
        job_id = self._new_id()
        requests = [item.model_dump_json() for item in spec.items]
        submit = _is_plain(spec) and self._provider.takes(spec.kind, tenant)
        return NewJob(
            job_id=job_id,
            tenant=tenant,
            idempotency_key=key,
            fingerprint=_fingerprint(spec, requests),
            kind=spec.kind,
            requests=requests,
            chunks=chunks_of(len(requests)),
            submit=submit,
            provider_callback_url=self._provider.callback_url if submit else None,
            callback_url=_checked_url(spec.callback_url),
            callback_secret=self._sealed(spec.callback_secret, job_id),
        )

    def _sealed(self, secret: str | None, job_id: UUID) -> bytes | None:
        if secret is None:
            return None
        try:
            key = read_secret(secret)
        except SecretMalformed as error:
            raise CallbackMalformed(str(error), "callback_secret") from error
        if self._box is None:
            raise NoSeal("this process has no key to seal secrets with")
        return self._box.seal(key, str(job_id))


def _is_plain(spec: Spec) -> bool:
    """Tell whether a provider's job can say all that is asked: one route for each item."""
    return all(isinstance(item, PlanRequest) and not item.alternatives for item in spec.items)


def _checked_url(url: str | None) -> str | None:
    if url is None:
        return None
    try:
        return check_url(url)
    except UrlMalformed as error:
        raise CallbackMalformed(str(error), "callback_url") from error


def _fingerprint(spec: Spec, requests: Sequence[str]) -> bytes:
    """Return what equal jobs have in common, however their JSON was written."""
    head = [spec.kind, spec.callback_url, spec.callback_secret]
    digest = hashlib.sha256(json.dumps(head).encode())
    for request in requests:
        digest.update(b"\n" + request.encode())
    return digest.digest()


def _index(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not _CURSOR.fullmatch(cursor):
        raise CursorMalformed("the cursor is none of ours")
    return int(cursor)
