"""Several commands in one request: who may send which, what is read of them, what they came to."""

from typing import Any

from starlette.responses import Response

from tandem.ledger import api
from tandem.ledger.core import intake
from tandem.ledger.core.commands import ClosePeriod, Reverse, SingleCommand
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.http import answers, bodies
from tandem.ledger.local import LocalLedger
from tandem.platform.auth import Permission, Principal


async def submit(
    ledger: LocalLedger, principal: Principal, body: bodies.BatchBody, key: str | None
) -> Response:
    """Submit the commands of a batch."""
    if body.mode == "atomic":
        commands = [_read(principal, members, index) for index, members in enumerate(body.commands)]
        return answers.receipts(
            await ledger.submit_batch(commands, mode=body.mode, idempotency_key=key)
        )
    read = [_try_read(principal, members) for members in body.commands]
    commands = [command for command in read if not isinstance(command, Refusal)]
    made = iter(await ledger.submit_batch(commands) if commands or not read else [])
    return answers.receipts(
        [
            api.Receipt(None, None, replayed=False, refusal=one)
            if isinstance(one, Refusal)
            else next(made)
            for one in read
        ]
    )


def may_override(principal: Principal) -> None:
    """Refuse `override_limits` to a key that may not."""
    _may(principal, Permission.OVERRIDE_LIMITS, "override_limits")


def _may(principal: Principal, permission: Permission, field: str) -> None:
    if permission not in principal.permissions:
        detail = f"the key lacks the permission {permission}"
        raise Refused(Refusal(RefusalCode.FORBIDDEN, detail, field))


def _check_permission(principal: Principal, command: SingleCommand) -> None:
    """Refuse what `write` alone does not allow, in a batch as by itself."""
    if isinstance(command, Reverse) and command.override_limits:
        may_override(principal)
    if isinstance(command, ClosePeriod):
        _may(principal, Permission.ADMIN, "kind")


def _read(principal: Principal, members: dict[str, Any], index: int) -> SingleCommand:
    try:
        command = bodies.read_command(members)
        _check_permission(principal, command)
    except Refused as error:
        refusal = error.refusal
        field = f"commands[{index}]" + (f".{refusal.field}" if refusal.field else "")
        raise Refused(Refusal(refusal.code, refusal.detail, field, refusal.index)) from None
    return command


def _try_read(principal: Principal, members: dict[str, Any]) -> SingleCommand | Refusal:
    """Read a command of an independent batch: one that is refused does not stop the others."""
    try:
        command = bodies.read_command(members)
        _check_permission(principal, command)
        intake.idempotency_key(command.key)
    except Refused as error:
        return error.refusal
    return command
