"""What holds for every file of the repository, read as text or as a syntax tree."""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tandem.ledger.core.refusals import HTTP_STATUS, RefusalCode

_ROOT: Final = Path(__file__).parents[2]
_MODULE_LINES_MAX: Final = 600
_FUNCTION_LINES_MAX: Final = 60
_COLUMNS_MAX: Final = 100
_TEXT_BYTES_MAX: Final = 2_000_000
_LOCKS: Final = ("requirements.lock", "requirements-dev.lock")

# Written in parts, so that this file does not find itself.
_MACHINE_PATHS: Final = re.compile(r"(?<![\w.])/(?:home|root|Users|work|shared)/\w")
_REGISTRIES: Final = re.compile(
    "|".join(
        re.escape(".".join(parts))
        for parts in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("registry", "npmjs", "org"),
            ("proxy", "golang", "org"),
            ("crates", "io"),
        )
    ),
    re.IGNORECASE,
)


@cache
def _tracked() -> tuple[Path, ...]:
    """The files that are committed, or will be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607 - any git will do
        cwd=_ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    paths = (_ROOT / name for name in listed.split("\0") if name)
    return tuple(sorted(path for path in paths if path.is_file()))


def _python(*folders: str) -> list[Path]:
    found = [path for path in _tracked() if path.suffix == ".py"]
    return [path for path in found if path.relative_to(_ROOT).parts[0] in folders]


@cache
def _lines(path: Path) -> tuple[str, ...]:
    return tuple(path.read_text("utf-8").split("\n"))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def _texts() -> Iterator[tuple[Path, str]]:
    for path in _tracked():
        if path.stat().st_size <= _TEXT_BYTES_MAX:
            try:
                yield path, path.read_text("utf-8")
            except UnicodeDecodeError:
                continue


def _named(path: Path, line: int = 0) -> str:
    return f"{path.relative_to(_ROOT)}:{line}" if line else str(path.relative_to(_ROOT))


type _Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(path: Path) -> Iterator[_Function]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _tests() -> Iterator[tuple[Path, _Function]]:
    for path in _python("tests"):
        if path.name.startswith("test_"):
            for function in _functions(path):
                if function.name.startswith("test_"):
                    yield path, function


def test_modules_are_short() -> None:
    """Nobody has to scroll through more than 600 lines."""
    everything = _python("src", "tests", "bench")
    assert len(everything) > 100
    lengths = {_named(path): len(_lines(path)) - 1 for path in everything}
    assert {name: lines for name, lines in lengths.items() if lines > _MODULE_LINES_MAX} == {}


def test_functions_are_short() -> None:
    """A function of the product fits a screen: 60 lines at most, its comments included."""
    too_long = [
        _named(path, function.lineno)
        for path in _python("src", "bench")
        for function in _functions(path)
        if (function.end_lineno or 0) - function.lineno + 1 > _FUNCTION_LINES_MAX
    ]
    assert too_long == []


def test_lines_fit_one_hundred_columns() -> None:
    """In Python, SQL and shell; a line with an exception to a rule may need more for its reason."""
    chosen = {".py", ".sql", ".sh"}
    too_wide = [
        _named(path, number)
        for path in _tracked()
        if path.suffix in chosen
        for number, line in enumerate(_lines(path), 1)
        if len(line) > _COLUMNS_MAX and "# noqa" not in line and "# type: ignore" not in line
    ]
    assert too_wide == []


def test_every_test_says_what_it_shows() -> None:
    """A docstring that is a sentence: begins with a capital, ends with a full stop."""
    odd = []
    for path, function in _tests():
        said = (ast.get_docstring(function) or "").strip()
        first = said[:1]
        if not said.endswith(".") or not (first.isupper() or first in '`"0123456789'):
            odd.append(_named(path, function.lineno))
    assert odd == []


def test_tests_do_not_sleep() -> None:
    """Time is a parameter; waiting for a while makes a test slow, or wrong, or both.

    Letting others run, `sleep(0)`, is no waiting; and a peer under tests/support may be slow.
    """
    sleeping = [
        _named(path, node.lineno)
        for path in _python("tests")
        if "support" not in path.parts
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute | ast.Name)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id) == "sleep"
        and not (node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
    ]
    assert sleeping == []


def test_exceptions_to_rules_have_reasons() -> None:
    """A silenced rule is named, and why it is silenced stands beside it."""
    silenced = re.compile(r"#\s*noqa|#\s*type:\s*ignore")
    reasoned = re.compile(
        r"#\s*noqa:\s*[A-Z]+[0-9]+(?:,\s*[A-Z]+[0-9]+)*\s+-\s+\w"
        r"|#\s*type:\s*ignore\[[a-z-]+(?:,\s*[a-z-]+)*\]\s+#\s+\w"
    )
    bare = [
        _named(path, number)
        for path in _python("src", "tests", "bench")
        if path != Path(__file__)
        for number, line in enumerate(_lines(path), 1)
        if silenced.search(line) and not reasoned.search(line)
    ]
    assert bare == []


def test_no_path_of_one_machine_is_committed() -> None:
    """What works only where it was written does not belong here."""
    found = [
        _named(path, text.count("\n", 0, match.start()) + 1)
        for path, text in _texts()
        for match in _MACHINE_PATHS.finditer(text)
    ]
    assert found == []


def test_no_registry_is_named() -> None:
    """Where packages come from is the installation's affair."""
    found = [
        _named(path, text.count("\n", 0, match.start()) + 1)
        for path, text in _texts()
        for match in _REGISTRIES.finditer(text)
    ]
    assert found == []


def _locked(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """The requirements of a lock file: name to version and hashes."""
    text = (_ROOT / name).read_text("utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        match = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==([^ ;]+)", line)
        if match:
            found[match[1].lower()] = (
                match[2],
                frozenset(re.findall(r"sha256:[0-9a-f]{64}", line)),
            )
        else:
            assert not line.strip() or line.lstrip().startswith("#"), f"{name}: {line[:80]}"
    return found


@pytest.mark.parametrize("name", _LOCKS)
def test_every_locked_package_has_hashes(name: str) -> None:
    """One version each, by hash, from wherever; no address stands in a lock file."""
    locked = _locked(name)
    assert len(locked) > 20
    assert [package for package, (_, hashes) in locked.items() if not hashes] == []
    assert re.search(r"https?://|git\+|@ file", (_ROOT / name).read_text("utf-8")) is None


def test_what_runs_is_what_is_tested() -> None:
    """The locks agree: every package of the runtime is in the developers' lock, alike."""
    runtime, developers = _locked(_LOCKS[0]), _locked(_LOCKS[1])
    differing = {
        package: (held, developers.get(package))
        for package, held in runtime.items()
        if developers.get(package) != held
    }
    assert differing == {}


def test_every_refusal_has_a_status() -> None:
    """The closed set of refusals and their HTTP statuses are one list, each of them an error."""
    assert set(HTTP_STATUS) == set(RefusalCode)
    assert all(400 <= status < 600 for status in HTTP_STATUS.values())
    for code in RefusalCode:
        assert code.value == code.name.lower()
        assert HTTP_STATUS[code] != 404 or code.value.endswith("_not_found")
