"""The plan of the code, `docs/house.md`, held against the code: a test a sentence, no exceptions."""

import ast
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PLAN = ROOT / "docs" / "house.md"
ROOMS = ("timeline", "monitor", "oncall", "playbook", "incident", "review")
MOST_MODULE_LINES = 400
MOST_FUNCTION_LINES = 60
LATE_IMPORTS_IN = ("cli/main.py", "kinds.py")
WALL = {
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "time": {"time", "time_ns", "localtime", "gmtime", "ctime", "strftime"},
}
MONOTONIC = {"time": {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"}}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


# What the plan says


def _block(name: str) -> list[list[str]]:
    """The words of the plan's code block of this name, line by line."""
    found = re.search(rf"^```{name}\n(.*?)^```", PLAN.read_text(), re.DOTALL | re.MULTILINE)
    assert found, f"docs/house.md has no block {name}"
    return [line.split() for line in found[1].splitlines()]


def _table(header: str) -> dict[str, set[str]]:
    """The table whose first header cell this is: first column (each name of it) to second."""
    rows = PLAN.read_text().partition(f"| {header} |")[2].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {
        name: set(row[1].split(", "))
        for row in cells
        for name in row[0].split(", ")
        if len(row) > 1
    }


LAYERS = {name: level for level, names in enumerate(_block("layers")) for name in names}
PURE = {word for line in _block("pure") for word in line}
AVOID = {word for line in _block("avoid") for word in line}
AVOID_ALONE = {word for line in _block("avoid-alone") for word in line}
DOORS = _table("package")
CLOCKS = _table("clock")
EXAMPLES = {family: folder.pop() for family, folder in _table("family").items()}


# What the code is


class Module:
    """One source file of the package."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.within = path.relative_to(ROOT / "sentinel").as_posix()
        self.text = path.read_text()
        self.tree = ast.parse(self.text)
        self.room = self.within.split("/")[0].removesuffix(".py")

    def at(self, node: ast.AST | int) -> str:
        line = node if isinstance(node, int) else getattr(node, "lineno", 0)
        return f"sentinel/{self.within}:{line}"

    def imports(self) -> Iterator[tuple[str, ast.stmt]]:
        """The full names of the modules that it imports, relative ones made absolute."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, node) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                name = node.module or ""
                if node.level:
                    here = ["sentinel", *self.within.removesuffix(".py").split("/")]
                    name = ".".join([*here[: -node.level], *([name] if name else [])])
                yield from ((_whole_name(name, alias.name), node) for alias in node.names)


def _whole_name(name: str, imported: str) -> str:
    """``sentinel.probers.http`` for ``from sentinel.probers import http``, else the module's name."""
    inner = ROOT.joinpath(*name.split("."), imported)
    is_module = inner.with_suffix(".py").exists() or (inner / "__init__.py").exists()
    return f"{name}.{imported}" if name.startswith("sentinel") and is_module else name


@cache
def modules() -> tuple[Module, ...]:
    return tuple(Module(path) for path in sorted((ROOT / "sentinel").rglob("*.py")))


def _rooms() -> list[Module]:
    return [module for module in modules() if module.room in ROOMS]


def _kinds() -> dict[str, dict[str, str]]:
    """Family to kind to its module, as registered."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {
        group.removeprefix("sentinel."): {
            name: entry.partition(":")[0] for name, entry in entries.items()
        }
        for group, entries in project["entry-points"].items()
    }


KINDS = [(family, kind) for family, kinds in _kinds().items() for kind in kinds]


# Directions


def test_every_module_has_its_place_in_the_plan() -> None:
    outside = {
        module.at(1)
        for module in modules()
        if module.room not in LAYERS and module.within != "__init__.py"
    }

    assert outside == set()


def test_imports_go_down_only() -> None:
    wrong = [
        f"{module.at(node)} imports {name}"
        for module in modules()
        for name, node in module.imports()
        if name.startswith("sentinel.") and not _down(module.room, name.split(".")[1])
    ]

    assert wrong == []


def _down(room: str, other: str) -> bool:
    if room == other or other.startswith("__"):
        return True
    return LAYERS.get(other, sys.maxsize) < LAYERS.get(room, -1)


def test_no_kind_knows_another_kind() -> None:
    kinds = {module for family in _kinds().values() for module in family.values()}
    families = tuple(f"sentinel.{family}." for family in _kinds())
    wrong = []
    for module in modules():
        own = "sentinel." + module.within.removesuffix(".py").replace("/", ".")
        if not own.startswith(families):
            continue
        wrong += [
            f"{module.at(node)} imports {name}"
            for name, node in module.imports()
            if name in kinds and name != own
        ]

    assert wrong == []


@pytest.mark.parametrize("package", sorted(DOORS))
def test_a_package_has_one_door(package: str) -> None:
    wrong = [
        module.at(node)
        for module in modules()
        for name, node in module.imports()
        if name.split(".")[0] == package and module.room not in DOORS[package]
    ]

    assert wrong == [], f"{package} is imported only in {DOORS[package]}"


def test_imports_inside_functions_stand_at_two_doors_only() -> None:
    wrong = [
        module.at(inner)
        for module in modules()
        if module.within not in LATE_IMPORTS_IN
        for function in ast.walk(module.tree)
        if isinstance(function, FUNCTIONS)
        for inner in ast.walk(function)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]

    assert wrong == []


# Purity


def test_the_rooms_import_nothing_that_reaches_the_world() -> None:
    wrong = [
        f"{module.at(node)} imports {name}"
        for module in _rooms()
        for name, node in module.imports()
        if name.split(".")[0] in sys.stdlib_module_names
        if name not in PURE and name.split(".")[0] not in PURE
    ]

    assert wrong == []


@pytest.mark.parametrize(
    ("clock", "names"), [("the wall clock", WALL), ("the monotonic clock", MONOTONIC)]
)
def test_a_clock_is_read_only_where_the_plan_says(clock: str, names: dict[str, set[str]]) -> None:
    wrong = [
        f"{module.at(node)} reads {what}"
        for module in modules()
        if module.room not in CLOCKS[clock]
        for node, what in _readings(module.tree, names)
    ]

    assert wrong == []


def _readings(tree: ast.Module, names: dict[str, set[str]]) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _last_name(node.value) in names:
            owner = _last_name(node.value)
            if node.attr in names[owner]:
                yield node, f"{owner}.{node.attr}"
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (
                (node, f"time.{alias.name}")
                for alias in node.names
                if alias.name in names.get("time", set())
            )


def _last_name(node: ast.expr) -> str:
    """``datetime`` of ``datetime.datetime``, ``time`` of ``time``."""
    return getattr(node, "attr", None) or getattr(node, "id", "")


@pytest.mark.parametrize(
    ("switch", "rooms"), [("slots", ROOMS), ("frozen", ("timeline", "monitor", "oncall"))]
)
def test_the_values_of_the_rooms_are_frozen_and_slotted(
    switch: str, rooms: tuple[str, ...]
) -> None:
    wrong = [
        f"{module.at(node)} {node.name}"
        for module in modules()
        if module.room in rooms
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        for decorator in node.decorator_list
        if _last_name(decorator.func if isinstance(decorator, ast.Call) else decorator)
        == "dataclass"
        if switch not in _switched_on(decorator)
    ]

    assert wrong == []


def _switched_on(decorator: ast.expr) -> set[str]:
    given = decorator.keywords if isinstance(decorator, ast.Call) else []
    return {
        word.arg
        for word in given
        if word.arg and isinstance(word.value, ast.Constant) and word.value.value is True
    }


# Size and shape


def test_modules_are_short() -> None:
    long = {
        module.within: lines
        for module in modules()
        if (lines := len(module.text.splitlines())) > MOST_MODULE_LINES
    }

    assert long == {}


def test_functions_are_short() -> None:
    long = {
        f"{module.at(node)} {node.name}": lines
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, FUNCTIONS)
        if (lines := (node.end_lineno or 0) - node.lineno + 1) > MOST_FUNCTION_LINES
    }

    assert long == {}


def test_every_module_says_what_it_is() -> None:
    silent = [
        module.at(1) for module in modules() if not ast.get_docstring(module.tree) and module.text
    ]

    assert silent == []


def test_no_error_is_caught_and_dropped() -> None:
    wrong = [
        module.at(node)
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler)
        if node.type is None or all(_does_nothing(step) for step in node.body)
    ]

    assert wrong == []


def _does_nothing(step: ast.stmt) -> bool:
    return isinstance(step, ast.Pass) or (
        isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant)
    )


def test_names_say_what_a_thing_is() -> None:
    wrong = []
    for module in modules():
        stems = [piece.removesuffix(".py") for piece in module.within.split("/")]
        names = [(module.at(1), stem, stem.split("_")) for stem in stems]
        names += [
            (module.at(node), node.name, re.findall(r"[A-Z][a-z0-9]*|[a-z0-9]+", node.name))
            for node in ast.walk(module.tree)
            if isinstance(node, ast.ClassDef)
        ]
        wrong += [
            f"{where} {name}"
            for where, name, parts in names
            if AVOID & {part.lower() for part in parts} or name.lower() in AVOID_ALONE
        ]

    assert wrong == []


# Companions


@pytest.mark.parametrize(("family", "kind"), KINDS)
def test_a_kind_has_its_file_and_its_name(family: str, kind: str) -> None:
    assert _kinds()[family][kind] == f"sentinel.{family}.{kind}"
    file = ROOT / "sentinel" / family / f"{kind}.py"
    assert file.exists()
    assert re.search(rf'KIND(: ClassVar\[str\])? = "{kind}"', file.read_text()) or (
        family == "notifiers"
    )


@pytest.mark.parametrize(("family", "kind"), KINDS)
def test_a_kind_has_its_test(family: str, kind: str) -> None:
    assert (ROOT / "tests" / family / f"test_{kind}.py").exists()


@pytest.mark.parametrize(("family", "kind"), KINDS)
def test_a_kind_has_its_example(family: str, kind: str) -> None:
    assert (ROOT / EXAMPLES[family] / f"{kind}.yaml").exists()


@pytest.mark.parametrize(("family", "kind"), KINDS)
def test_a_kind_has_its_page(family: str, kind: str) -> None:
    page = ROOT / "docs" / "reference" / "kinds" / family / f"{kind}.md"

    assert kind in page.read_text().partition("\n")[0]


# Tests and files


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}

    assert {folder for folder in folders if not (folder / "__init__.py").exists()} == set()


def test_each_system_package_is_listed_and_used() -> None:
    listed = {
        line.split()[0]
        for line in (ROOT / "requirements" / "system.txt").read_text().splitlines()
        if line and not line.startswith("#")
    }
    own = Path(__file__).with_name("test_conftest.py")
    sources = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    calls = [
        call
        for source in sources
        if source != own
        for call in re.findall(r"needs\(([^)]*)\)", source.read_text())
    ]
    asked = {name for call in calls for name in re.findall(r'"([a-z0-9.+-]+)"', call)}
    for source in (ROOT / "benchmarks").rglob("*.py"):
        asked |= set(re.findall(r'which\("([a-z0-9.+-]+)"', source.read_text()))

    assert asked == listed


def test_no_file_names_the_machine_it_was_made_on() -> None:
    roots = [str(ROOT), str(Path.home()), os.path.realpath(sys.prefix)]
    hosts = ["pypi" + ".org", "python" + "hosted", "registry." + "npmjs", "deb." + "debian.org"]
    places = ["/" + place + "/" for place in ("root", "work/main", "tmp/wt", "tmp/v", "opt/pypi")]
    forbidden = [*(f"{root.rstrip('/')}/" for root in roots if len(root) > 1), *hosts, *places]
    wrong = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in _files()
        for name in forbidden
        if name.encode() in file.read_bytes()
    ]

    assert wrong == []


def _files() -> Iterator[Path]:
    """All files that belong to the repository: not those that git or a tool made."""
    made = re.compile(r"\.(git|venv.*|demo|sentinel|.*_cache|hypothesis)|__pycache__|.*\.egg-info")
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not made.fullmatch(name)]
        yield from (Path(folder) / name for name in names if name != ".git")
