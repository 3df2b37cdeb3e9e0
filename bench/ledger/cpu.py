"""CPU time of processes: ours, a child's, and PostgreSQL's with all of its backends."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import psutil


def process_seconds(pid: int) -> float:
    """User and system time of one process."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def postgres_seconds(postmaster_pid: int) -> float:
    """User and system time of a PostgreSQL server: backends that run, and those that ended.

    A backend that ends meanwhile is counted with its postmaster, which waits for it.
    """
    postmaster = psutil.Process(postmaster_pid)
    running = 0.0
    for backend in postmaster.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            running += process_seconds(backend.pid)
    times = postmaster.cpu_times()
    ended = times.children_user + times.children_system
    return float(times.user + times.system + ended + running)


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU seconds by who took them. `server` is zero where the ledger runs in the client."""

    client: float
    server: float
    database: float

    def __sub__(self, other: Self) -> "Cpu":
        return Cpu(
            self.client - other.client,
            self.server - other.server,
            self.database - other.database,
        )

    def __add__(self, other: Self) -> "Cpu":
        return Cpu(
            self.client + other.client,
            self.server + other.server,
            self.database + other.database,
        )

    def per(self, things: int) -> "Cpu":
        """In microseconds for each of so many things."""
        scale = 1e6 / things
        return Cpu(self.client * scale, self.server * scale, self.database * scale)


NO_CPU = Cpu(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Meter:
    """Reads the CPU times of a client, a server (None where there is none) and PostgreSQL."""

    clients: tuple[int, ...]
    server: int | None
    postmaster: int

    def read(self) -> Cpu:
        """CPU seconds until now."""
        return Cpu(
            sum(process_seconds(pid) for pid in self.clients),
            0.0 if self.server is None else process_seconds(self.server),
            postgres_seconds(self.postmaster),
        )
