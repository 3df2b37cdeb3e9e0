"""Who may pass: bearer token, contract version, rate; and what every answer says about it."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from tandem.sandbox import limits
from tandem.sandbox.keys import COMPUTE_SCOPE, Account, Keyring, Rejection
from tandem.sandbox.problems import ApiProblem, Code, Fault

VERSION_HEADER: Final = "Bikemap-Version"
_CREDITS_HEADER: Final = "Bikemap-Credits"
_CHALLENGE: Final = 'Bearer realm="bikemap"'


@dataclass(slots=True)
class Pass:
    """An admitted request: whose it is and what it has cost so far."""

    account: Account
    spent_credits: int = 0


type Handler = Callable[[Request, Pass], Awaitable[Response]]


class Gate:
    """Admits requests and accounts for them; `clock` tells monotonic seconds."""

    def __init__(self, keyring: Keyring, clock: Callable[[], float]) -> None:
        self._keyring = keyring
        self._clock = clock

    def guard(
        self, handler: Handler, scope: str = COMPUTE_SCOPE
    ) -> Callable[[Request], Awaitable[Response]]:
        """Wrap a handler so that it sees admitted requests only and its answers are labelled."""

        async def guarded(request: Request) -> Response:
            account, scopes = self._authenticate(request)
            admitted = Pass(account)
            try:
                _check_scope(scope, scopes)
                self._check_rate(account)
                _check_version(request)
                response = await handler(request, admitted)
            except ApiProblem as problem:
                response = problem_response(request, problem)
            self._label(response, admitted)
            return response

        return guarded

    def charge(self, admitted: Pass, amount: int) -> None:
        """Reserve credits for an answer. Raises ApiProblem where the plan has too few left."""
        now_s = self._clock()
        window = admitted.account.credits
        if not window.reserve(now_s, amount):
            wait_s = math.ceil(window.reset_s(now_s))
            raise ApiProblem(
                Code.QUOTA_EXHAUSTED,
                f"{math.floor(window.remaining(now_s))} credits are left and {amount} are needed",
                headers={"Retry-After": str(wait_s)},
            )
        admitted.spent_credits += amount

    def refund(self, admitted: Pass) -> None:
        """Give back what an unanswered request had reserved."""
        admitted.account.credits.give_back(admitted.spent_credits)
        admitted.spent_credits = 0

    def quota(self, admitted: Pass) -> dict[str, Any]:
        """Say what the plan has left (seconds until it is full again)."""
        now_s = self._clock()
        account = admitted.account
        plan, window = account.client.plan, account.credits
        return {
            "plan": plan.name,
            "credits": {
                "limit": plan.credits,
                "remaining": math.floor(window.remaining(now_s)),
                "reset_s": math.ceil(window.reset_s(now_s)),
            },
            "burst": {
                "limit": plan.burst,
                "window_s": plan.burst_window_s,
                "remaining": account.rate.remaining(now_s),
            },
        }

    def _authenticate(self, request: Request) -> tuple[Account, frozenset[str]]:
        """Return whose token it is, and what it is good for. Raises ApiProblem."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            challenge = {"WWW-Authenticate": _CHALLENGE}
            raise ApiProblem(Code.AUTH_INVALID, "a bearer token is needed", headers=challenge)
        account = self._keyring.check_token(token.strip())
        if isinstance(account, Account):
            return account, self._keyring.scopes_of(account, token.strip())
        code = Code.AUTH_EXPIRED if account is Rejection.EXPIRED else Code.AUTH_INVALID
        raise ApiProblem(code, headers={"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'})

    def _check_rate(self, account: Account) -> None:
        wait_s = account.rate.take(self._clock())
        if wait_s > 0:
            # Whole seconds, as both headers have them; a caller that waits so long is admitted.
            seconds = max(1, math.ceil(wait_s))
            raise ApiProblem(
                Code.RATE_EXCEEDED,
                headers={
                    "Retry-After": str(seconds),
                    "RateLimit": f'"burst";r=0;t={seconds}',
                },
            )

    def _label(self, response: Response, admitted: Pass) -> None:
        now_s = self._clock()
        plan, window = admitted.account.client.plan, admitted.account.credits
        response.headers["RateLimit-Policy"] = (
            f'"burst";q={plan.burst};w={plan.burst_window_s}, '
            f'"credits";q={plan.credits};w={plan.credit_window_s}'
        )
        left, reset_s = math.floor(window.remaining(now_s)), math.ceil(window.reset_s(now_s))
        response.headers.setdefault("RateLimit", f'"credits";r={left};t={reset_s}')
        response.headers[_CREDITS_HEADER] = str(admitted.spent_credits)


def problem_response(request: Request, problem: ApiProblem) -> Response:
    """Answer with a problem under the request's name."""
    return problem.response(instance=request.url.path, trace_id=request.state.request_id)


def _check_scope(scope: str, scopes: frozenset[str]) -> None:
    if scope not in scopes:
        raise ApiProblem(Code.AUTH_SCOPE, f"the scope {scope} is needed")


def _check_version(request: Request) -> None:
    version = request.headers.get(VERSION_HEADER)
    if version != limits.API_VERSION:
        detail = f"the header {VERSION_HEADER}: {limits.API_VERSION} is needed"
        fault = Fault(f"header:{VERSION_HEADER}", Code.REQUEST_MALFORMED)
        raise ApiProblem(Code.REQUEST_MALFORMED, detail, [fault])
