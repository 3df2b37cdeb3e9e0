"""The HTTP kit: problems, limits, health, metrics, and the factory that puts them together."""

from tandem.platform.http.api import create_api
from tandem.platform.http.health import Health
from tandem.platform.http.problems import HttpProblem, Problem, problem

__all__ = ["Health", "HttpProblem", "Problem", "create_api", "problem"]
