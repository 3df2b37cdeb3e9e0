"""The kinds of question that can be asked."""

from enum import StrEnum


class Operation(StrEnum):
    """A kind of question; each has a request and an answer of its own."""

    ROUTE = "route"
    MATRIX = "matrix"
    ISOCHRONE = "isochrone"
    SNAP = "snap"
    ELEVATION = "elevation"
