"""The ledger in process: the interface over the writer and the reader. HTTP stands on it too."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from tandem.ledger import api, commands
from tandem.ledger.api import Entry
from tandem.ledger.audit.verify import verify
from tandem.ledger.core import filters, intake
from tandem.ledger.core.canonical import decode
from tandem.ledger.core.checkpoint import Checkpoint
from tandem.ledger.core.commands import Command, SingleCommand, named_entries
from tandem.ledger.core.kinds import BatchMode, RecordKind
from tandem.ledger.core.limits import (
    DEFAULT_PAGE_SIZE,
    FEED_PAGE_SIZE,
    MAX_COMMANDS_PER_BATCH,
    MAX_ENTRIES_PER_BATCH,
    MAX_FEED_WAIT_MS,
    RETRY_PAUSE_MS,
)
from tandem.ledger.core.records import Record
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.effective import EffectiveReader, whole_period
from tandem.ledger.feed import HeadWatcher, checked_wait_ms, resumed, start_position
from tandem.ledger.listing import Listings, page_size
from tandem.ledger.local_log import LocalLog
from tandem.ledger.log_reader import LogReader
from tandem.ledger.reachable import reachable
from tandem.ledger.reader import Reader
from tandem.ledger.signing import Signer
from tandem.ledger.statements import first_place, opened_place, statement_view
from tandem.ledger.storage.port import Head, LedgerStore
from tandem.ledger.times import from_us, to_us
from tandem.ledger.views import (
    account_view,
    balance_view,
    hold_view,
    record_view,
    totals_view,
    verification_view,
)
from tandem.ledger.webhooks.local import LocalWebhooks
from tandem.ledger.writer import Answer, Writer
from tandem.platform.webhooks.sealing import SecretBox


class LedgerFault(Exception):  # noqa: N818 - a fault of ours, as opposed to a refusal
    """A command crashed the ledger's decision; nothing of it was written."""


class LocalLedger(LocalLog):
    """One ledger, in this process. Implements `api.Ledger`."""

    def __init__(
        self,
        store: LedgerStore,
        head: Head,
        writer: Writer,
        now_us: Callable[[], int],
        watcher: HeadWatcher,
        signer: Signer | None = None,
        box: SecretBox | None = None,
    ) -> None:
        self.name = head.name
        self._store = store
        self._ledger_id = head.ledger_id
        self._writer = writer
        self._watcher = watcher
        self.webhooks = LocalWebhooks(store, head, box, now_us)
        self._reader = Reader(store, head.ledger_id, head.name, now_us)
        self._listings = Listings(self._reader)
        self._effective = EffectiveReader(store, head.ledger_id, self._reader)
        self._log = LogReader(store, head, signer)

    # -- writes --------------------------------------------------------------------------------

    async def open_account(
        self,
        address: str,
        *,
        asset: str,
        account_class: api.AccountClass | str,
        min_balance_minor: int | str | None = None,
        max_balance_minor: int | str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None,
    ) -> api.Account:
        """Open an account."""
        record = await self.execute(
            intake.open_account(
                idempotency_key,
                address,
                asset,
                account_class,
                min_balance_minor,
                max_balance_minor,
                metadata,
            )
        )
        assert record.account is not None
        return record.account

    async def update_account(
        self,
        address: str,
        *,
        status: api.AccountStatus | str | None = None,
        min_balance_minor: int | str | None = None,
        max_balance_minor: int | str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None,
    ) -> api.Account:
        """Freeze, reopen, close or re-limit an account; None keeps, "none" lifts a limit."""
        record = await self.execute(
            intake.update_account(
                idempotency_key,
                address,
                status,
                min_balance_minor,
                max_balance_minor,
                metadata,
            )
        )
        assert record.account is not None
        return record.account

    async def transfer(
        self,
        *,
        debit_account: str,
        credit_account: str,
        amount_minor: int | str,
        asset: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        effective_at: datetime | None = None,
        idempotency_key: str | None,
    ) -> api.Record:
        """Post a two-entry transaction."""
        return await self.execute(
            intake.transfer(
                idempotency_key,
                debit_account,
                credit_account,
                amount_minor,
                asset,
                reference,
                metadata,
                None if effective_at is None else to_us(effective_at, "effective_at"),
            )
        )

    async def post_transaction(
        self,
        entries: Sequence[Entry],
        *,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        effective_at: datetime | None = None,
        idempotency_key: str | None,
    ) -> api.Record:
        """Post a transaction whose debits equal its credits in every asset."""
        return await self.execute(
            commands.post_transaction(
                entries,
                reference=reference,
                metadata=metadata,
                effective_at=effective_at,
                idempotency_key=idempotency_key,
            )
        )

    async def hold(
        self,
        entries: Sequence[Entry],
        *,
        expires_at: datetime | None = None,
        capture_limit_minor: int | str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None,
    ) -> api.Record:
        """Reserve a transaction; its record's position is the hold's identity."""
        return await self.execute(
            commands.hold(
                entries,
                expires_at=expires_at,
                capture_limit_minor=capture_limit_minor,
                reference=reference,
                metadata=metadata,
                idempotency_key=idempotency_key,
            )
        )

    async def capture(
        self,
        hold: int,
        *,
        amount_minor: int | str | None = None,
        entries: Sequence[Entry] | None = None,
        final: bool = False,
        metadata: Mapping[str, str] | None = None,
        effective_at: datetime | None = None,
        idempotency_key: str | None,
    ) -> api.Record:
        """Post a hold: all that remains, an amount of a two-entry hold, or named entries."""
        return await self.execute(
            commands.capture(
                hold,
                amount_minor=amount_minor,
                entries=entries,
                final=final,
                metadata=metadata,
                effective_at=effective_at,
                idempotency_key=idempotency_key,
            )
        )

    async def release(
        self,
        hold: int,
        *,
        amount_minor: int | str | None = None,
        entries: Sequence[Entry] | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None,
    ) -> api.Record:
        """Give back all or part of what a hold still reserves."""
        return await self.execute(
            commands.release(
                hold,
                amount_minor=amount_minor,
                entries=entries,
                metadata=metadata,
                idempotency_key=idempotency_key,
            )
        )

    async def reverse(
        self,
        transaction: int,
        *,
        amount_minor: int | str | None = None,
        entries: Sequence[Entry] | None = None,
        override_limits: bool = False,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        effective_at: datetime | api.Original | None = None,
        idempotency_key: str | None,
    ) -> api.Record:
        """Mirror a posted transaction: all that is left of it, or part."""
        return await self.execute(
            commands.reverse(
                transaction,
                amount_minor=amount_minor,
                entries=entries,
                override_limits=override_limits,
                reference=reference,
                metadata=metadata,
                effective_at=effective_at,
                idempotency_key=idempotency_key,
            )
        )

    async def close_period(
        self,
        *,
        through: datetime,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None,
    ) -> api.Record:
        """Let nothing more take effect at or before a time, which has passed."""
        return await self.execute(
            commands.close_period(
                through=through, metadata=metadata, idempotency_key=idempotency_key
            )
        )

    async def execute(self, command: SingleCommand) -> api.Record:
        """Submit one command; raises `Refused`, also where it has no key."""
        intake.idempotency_key(command.key)
        (answer,) = await self._writer.submit((command,))
        return record_view(_effect(answer), replayed=answer.replayed)

    async def submit_batch(
        self,
        commands: Sequence[SingleCommand],
        *,
        mode: BatchMode | str = BatchMode.INDEPENDENT,
        idempotency_key: str | None = None,
    ) -> list[api.Receipt]:
        """Submit commands made by `tandem.ledger.commands`; later ones see earlier ones."""
        _check_size(commands)
        if mode == BatchMode.ATOMIC:
            return await self._submit_atomic(commands, idempotency_key)
        if mode != BatchMode.INDEPENDENT:
            raise Refused(Refusal(RefusalCode.MALFORMED, "atomic or independent", "mode"))
        keyed = [command for command in commands if command.key is not None]
        answers = iter(await self._writer.submit(keyed) if keyed else ())
        return [
            _KEYLESS if command.key is None else _receipt(next(answers)) for command in commands
        ]

    async def _submit_atomic(
        self, commands: Sequence[SingleCommand], idempotency_key: str | None
    ) -> list[api.Receipt]:
        command: Command = intake.atomic_batch(idempotency_key, commands)
        (answer,) = await self._writer.submit((command,))
        head = _effect(answer)
        records = answer.records[1:]
        if answer.replayed:
            records = await self._members(head)
        return [
            api.Receipt(record.position, from_us(record.recorded_at_us), answer.replayed)
            for record in records
        ]

    @reachable
    async def _members(self, head: Record) -> list[Record]:
        """The records of an atomic batch, which follow its own."""
        assert head.commands is not None
        bodies = await self._store.bodies(self._ledger_id, head.position, head.commands)
        return [decode(body) for body in bodies]

    # -- reads ---------------------------------------------------------------------------------

    @reachable
    async def balance(
        self,
        account: str,
        *,
        at_position: int | None = None,
        at_time: datetime | None = None,
        effective_at: datetime | None = None,
    ) -> api.AccountBalance:
        """Balance now (sees every acknowledged write), at a position, or at a past time."""
        address = intake.address(account, "account")
        position, time_us = _known(at_position, at_time)
        if effective_at is not None:
            effective_us = intake.time(to_us(effective_at, "effective_at"), "effective_at")
            known = await self._reader.known_position(position, time_us)
            reading = await self._effective.balance(address, effective_us, known, time_us)
        elif position is None and time_us is None:
            reading = await self._reader.balance_now(address)
        else:
            known = await self._reader.known_position(position, time_us)
            reading = await self._reader.balance_as_of(address, known, time_us)
        return balance_view(reading)

    @reachable
    async def statement(
        self,
        account: str,
        *,
        by: api.TimeBasis | str = api.TimeBasis.EFFECTIVE,
        from_time: datetime | None = None,
        until_time: datetime | None = None,
        at_position: int | None = None,
        cursor: str | None = None,
        limit: int = DEFAULT_PAGE_SIZE,
    ) -> api.Statement:
        """What was posted to an account in [`from_time`, `until_time`): opening, lines, closing."""
        address = intake.address(account, "account")
        size = page_size(limit)
        period = whole_period(
            intake.time_basis(by),
            None if from_time is None else to_us(from_time, "from_time"),
            None if until_time is None else to_us(until_time, "until_time"),
        )
        position, _ = _known(at_position, None)
        if cursor is None:
            place = first_place(await self._reader.known_position(position, None))
        else:
            place = opened_place(cursor, period, address, position)
        reading = await self._effective.statement(
            address, period, place.known, place.after, size + 1
        )
        return statement_view(reading, period, place, size)

    @reachable
    async def account(self, address: str) -> api.Account:
        """Look an account up."""
        return account_view(await self._reader.account(intake.address(address, "address")))

    @reachable
    async def transaction(self, position: int) -> api.Record:
        """Look a record up by position."""
        return record_view(await self._reader.record(intake.position(position, "position")))

    @reachable
    async def hold_state(self, position: int) -> api.Hold:
        """Where a hold stands now."""
        return hold_view(await self._reader.hold(intake.position(position, "hold")))

    @reachable
    async def accounts(
        self,
        *,
        prefix: str = "",
        asset: str | None = None,
        account_class: api.AccountClass | str | None = None,
        status: api.AccountStatus | str | None = None,
        metadata: Mapping[str, str] | None = None,
        cursor: str | None = None,
        limit: int = DEFAULT_PAGE_SIZE,
    ) -> api.AccountPage:
        """List accounts by address: those, as they stand, to which everything given applies."""
        chosen = filters.account_filter(prefix, asset, account_class, status, metadata)
        return await self._listings.accounts(chosen, cursor, limit)

    @reachable
    async def records(
        self,
        *,
        account: str | None = None,
        account_prefix: str | None = None,
        kind: RecordKind | str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        recorded_from: datetime | None = None,
        recorded_until: datetime | None = None,
        newest_first: bool = False,
        cursor: str | None = None,
        limit: int = DEFAULT_PAGE_SIZE,
    ) -> api.RecordPage:
        """List records in commit order: those to which everything given applies."""
        chosen = filters.record_filter(account, account_prefix, kind, reference, metadata)
        return await self._listings.records(
            chosen, recorded_from, recorded_until, newest_first, cursor, limit
        )

    @reachable
    async def changes(
        self, *, after: int = 0, wait_ms: int = 0, limit: int = DEFAULT_PAGE_SIZE
    ) -> api.RecordPage:
        """Read every record after a position; wait up to `wait_ms` where there is none yet."""
        position, size = start_position(after), page_size(limit)
        wait_ms = checked_wait_ms(wait_ms)
        bodies = await self._store.bodies(self._ledger_id, position, size)
        if not bodies and wait_ms and await self._watcher.beyond(position, wait_ms):
            bodies = await self._store.bodies(self._ledger_id, position, size)
        return api.RecordPage(tuple(record_view(decode(body)) for body in bodies))

    def follow(self, *, after: int = 0) -> AsyncIterator[api.Record]:
        """Iterate over every record after a position, each exactly once, until it closes."""
        return resumed(
            self._stream,
            start_position(after),
            pause_s=lambda _attempt: RETRY_PAUSE_MS / 1000,
            over=lambda: self.closing,
        )

    async def _stream(self, after: int) -> AsyncGenerator[api.Record]:
        while not self.closing:
            page = await self.changes(after=after, wait_ms=MAX_FEED_WAIT_MS, limit=FEED_PAGE_SIZE)
            for record in page.items:
                after = record.position
                yield record

    @property
    def closing(self) -> bool:
        """True where nobody waits for records any more, because the process is about to end."""
        return self._watcher.closed

    @reachable
    async def trial_balance(
        self,
        *,
        at_position: int | None = None,
        at_time: datetime | None = None,
        effective_at: datetime | None = None,
    ) -> api.TrialBalance:
        """Sum every account per asset; the difference is zero at every position and time."""
        position, time_us = _known(at_position, at_time)
        if effective_at is not None:
            known = await self._reader.known_position(position, time_us)
            effective_us = intake.time(to_us(effective_at, "effective_at"), "effective_at")
            totals = await self._effective.trial_balance(effective_us, known)
        elif position is None and time_us is None:
            known, totals = await self._reader.trial_balance(None)
        else:
            known = await self._reader.known_position(position, time_us)
            _, totals = await self._reader.trial_balance(known)
        return api.TrialBalance(known, tuple(map(totals_view, totals)))

    @reachable
    async def verify(
        self,
        progress: Callable[[int, int], None] | None = None,
        *,
        checkpoint: Checkpoint | None = None,
    ) -> api.Verification:
        """Recompute every invariant from the stored bytes.

        `progress` is told how many records of how many are done. `checkpoint` is one that was kept,
        its signature checked (`offline.verify_checkpoint`): the log has to begin with it.
        """
        head = await self._log.head()
        return verification_view(await verify(self._store, head, progress, checkpoint))


_KEYLESS: Final = api.Receipt(
    refusal=Refusal(
        RefusalCode.IDEMPOTENCY_KEY_MISSING,
        "every command of an independent batch carries a key",
        "idempotency_key",
    )
)


def _effect(answer: Answer) -> Record:
    """Return the record that a command made; raise where it made none."""
    if answer.fault is not None:
        raise LedgerFault("the command crashed the ledger; nothing was written") from answer.fault
    if answer.refusal is not None:
        raise Refused(answer.refusal)
    record = answer.records[0]
    if record.refusal is not None:
        raise Refused(record.refusal, replayed=answer.replayed)
    return record


def _receipt(answer: Answer) -> api.Receipt:
    if answer.fault is not None:
        refusal = Refusal(RefusalCode.UNAVAILABLE, "the command crashed the ledger")
        return api.Receipt(None, None, replayed=False, refusal=refusal)
    if answer.refusal is not None:
        return api.Receipt(None, None, replayed=False, refusal=answer.refusal)
    record = answer.records[0]
    return api.Receipt(
        record.position, from_us(record.recorded_at_us), answer.replayed, record.refusal
    )


def _check_size(commands: Sequence[SingleCommand]) -> None:
    if not commands:
        raise Refused(Refusal(RefusalCode.MALFORMED, "a batch has a command", "commands"))
    entries = sum(map(named_entries, commands))
    if len(commands) > MAX_COMMANDS_PER_BATCH or entries > MAX_ENTRIES_PER_BATCH:
        detail = (
            f"a batch has at most {MAX_COMMANDS_PER_BATCH} commands "
            f"and {MAX_ENTRIES_PER_BATCH} entries"
        )
        raise Refused(Refusal(RefusalCode.TOO_LARGE, detail, "commands"))


def _known(at_position: object, at_time: object) -> tuple[int | None, int | None]:
    """Read what a read is to know: the log up to a position or a time, or (neither) all of it."""
    if at_position is not None and at_time is not None:
        detail = "at_position and at_time exclude each other"
        raise Refused(Refusal(RefusalCode.MALFORMED, detail, "at_time"))
    return (
        None if at_position is None else intake.position(at_position, "at_position"),
        None if at_time is None else to_us(at_time, "at_time"),
    )
