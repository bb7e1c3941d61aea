"""The house rules: imports go downward, files and functions stay small, `import vlp` stays light."""

import ast
import re
import runpy
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "vlp"
FILES = sorted(ROOT.rglob("*.py"))

LEVELS = {
    "core": 0,
    "primitives": 1,
    "policy": 2,
    "journal": 3,
    "prompt": 3,
    "understanding": 3,
    "robot": 3,
    "models": 3,
    "language_actions": 3,
    "perception": 4,
    "skills": 4,
    "sim": 4,
    "data": 4,
    "runtime": 5,
    "training": 5,
    "episodes": 6,
    "nano": 6,
    "evaluation": 7,
    "cli": 9,
}

# Two neighbours meet by design: prompts speak of steps and manifests, models read prompt profiles and a robot's state.
FILE_CAP, FUNCTION_CAP, FIELD_CAP, BRANCH_CAP = 500, 80, 15, 4


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def _package(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def _imports(tree: ast.AST) -> list[str]:
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    return names


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_go_downward(file: Path):
    package = _package(file)
    if package == "__init__":
        return
    assert package in LEVELS, f"{package} has no level; add it to the design and to this table"
    for name in _imports(_tree(file)):
        parts = name.split(".")
        if parts[0] != "vlp" or len(parts) < 2 or parts[1] == package:
            continue
        assert LEVELS[parts[1]] < LEVELS[package], f"{file.name} ({package}, level {LEVELS[package]}) imports {name}"


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_sizes(file: Path):
    text = file.read_text()
    assert text.count("\n") <= FILE_CAP, f"{file} is longer than {FILE_CAP} lines"
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= FUNCTION_CAP, f"{file}:{node.name} has {length} lines"
        if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(d) for d in node.decorator_list):
            fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
            assert len(fields) <= FIELD_CAP, f"{file}:{node.name} has {len(fields)} fields"


def _compared_name(test: ast.expr) -> str | None:
    """The name in `name == "text"`, or None for any other test."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
        other = test.comparators[0]
        if isinstance(other, ast.Constant) and isinstance(other.value, str):
            return ast.unparse(test.left)
    return None


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_no_chains_over_names_where_a_table_would_do(file: Path):
    for node in ast.walk(_tree(file)):
        length, name, branch = 0, None, node
        while isinstance(branch, ast.If) and (found := _compared_name(branch.test)) and name in (None, found):
            name, length = found, length + 1
            branch = branch.orelse[0] if len(branch.orelse) == 1 else None
        assert length < BRANCH_CAP, f"{file}:{getattr(node, 'lineno', 0)} chooses among {length} names of {name}; use a table"


NANO_TABLES = {"cli/main.py", "models/catalogue.py", "models/turns.py", "perception/grounder.py", "prompt/render.py"}
"""The files with the tables whose rows reach the embedded model; everything else knows models in general."""


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_the_embedded_model_is_reached_through_rows_of_tables_alone(file: Path):
    """Guards against the house being built around the one model that lives in it: its turns and words stood in 35 files."""
    if _package(file) == "nano":
        return
    text, tree = file.read_text(), _tree(file)
    assert not [name for name in _imports(tree) if name.startswith("vlp.nano")], f"{file.name} imports the embedded model"
    if str(file.relative_to(ROOT)) not in NANO_TABLES:
        named = [line for line in text.splitlines() if "nano" in line.lower()]
        assert not named, f"{file.name} names the embedded model: {named[0].strip()}"


def test_constants_grow_no_more():
    """A value used once stands where it is used, a table in a data file; the bounds only ever go down."""
    found = runpy.run_path(str(ROOT.parent.parent / "tools" / "count_constants.py"))["constants"](ROOT)
    own = re.compile(r"sim/(embodiments|worlds)/\w+/")  # a body and a world bring numbers of their own
    folders = Counter(match[0] if (match := own.match(one.file.as_posix())) else "" for one in found)
    assert folders.pop("") <= 263, f"{len(found)} upper-case constants; `python tools/count_constants.py PACKAGE` lists them"
    assert {folder: n for folder, n in folders.items() if n > 20} == {}


def test_no_two_public_classes_have_one_name():
    """Two or three classes each were called Moment, Limits, Fault, Refused: whoever read one had to ask which."""
    found: dict[str, list[str]] = {}
    for file in FILES:
        for node in ast.walk(_tree(file)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found.setdefault(node.name, []).append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in found.items() if len(files) > 1} == {}


def test_median_file_is_short():
    sizes = sorted(file.read_text().count("\n") for file in FILES)
    assert sizes[len(sizes) // 2] <= 180


@pytest.mark.parametrize("module", ["vlp", "vlp.core.observation", "vlp.policy", "vlp.robot.protocol", "vlp.cli.main"])
def test_light_imports_stay_light(module: str):
    code = f"import sys, {module}; print([m for m in ('torch', 'mujoco', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def _texts(tree: ast.AST) -> list[ast.Constant]:
    """Every string but docstrings."""
    docs = {
        id(item.value)
        for node in ast.walk(tree)
        if isinstance(body := getattr(node, "body", None), list)
        for item in body
        if isinstance(item, ast.Expr)
    }
    return [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in docs]


SHIPPED = re.compile(
    r"(?:hsr|anymal|tabletop|table|bin)|.*vlp\.sim\.(?:embodiments|worlds)\.\w+.*"
    r"|.*\b(?:red|green|blue|yellow|orange|purple|white|black) (?:cube|block|ball|can|bottle|mug|bowl|plate|tray|box)\b.*",
    re.DOTALL,
)
SPEAK_OF_IT = {
    "cli/main.py": "examples of commands",
    "evaluation/speed/starting.py": "the first command of the README",
    "evaluation/stress/malformed.py": "broken policies for the shipped robot",
    "evaluation/stress/journal.py": "a scripted run of the fake robot",
    "data/import_folder.py": "a table of samples",
    "models/conformance.py": "any question will do",
    "primitives/standard.py": "an example of a phrase",
    "prompt/full.py": "an example of an answer, and things of an example for any robot",
}


@pytest.mark.parametrize(
    "file", [f for f in FILES if _package(f) not in ("sim", "nano")], ids=lambda f: str(f.relative_to(ROOT))
)
def test_no_name_of_a_body_a_world_or_its_things_outside_the_simulator(file: Path):
    """A second robot and a second world met the first ones everywhere: as defaults, as places, as words for things."""
    found = [f"line {text.lineno}: {text.value!r}" for text in _texts(_tree(file)) if SHIPPED.fullmatch(str(text.value))]
    if str(file.relative_to(ROOT)) in SPEAK_OF_IT:
        assert found, f"{file.name} is excused for nothing; take it off the list"
    else:
        assert not found, f"{file.name} names what only vlp.sim knows: {found}"
