"""A wheel and a source archive install and run in an environment that has never seen the checkout.

The tests ran on an editable install only: a data file that the wheel leaves out was there all the same.
"""

import os
import site
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from vlp import __version__

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]

pytestmark = pytest.mark.slow


def run(*words: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words], cwd=cwd, env=env, capture_output=True, text=True, timeout=240, check=False
    )


def build_wheel(source: Path, out: Path) -> Path:
    done = run(*PIP, "wheel", "--no-build-isolation", "--no-deps", "--no-index", "-w", out, source)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("*.whl")
    return wheel


def contents(wheel: Path) -> set[str]:
    """Return the files of the package that a wheel holds, relative to it."""
    with zipfile.ZipFile(wheel) as archive:
        return {name.removeprefix("vlp/") for name in archive.namelist() if name.startswith("vlp/")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a new environment with the wheel; it sees the dependencies of this one, so nothing is downloaded."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    binaries = folder / "venv" / "bin"
    done = run(*PIP, "--python", binaries / "python", "install", "--no-deps", "--no-index", "--no-compile", wheel)
    assert done.returncode == 0, done.stdout + done.stderr
    (packages,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return binaries


def vlp(installed: Path, cwd: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VLP_"))}
    return run(installed / "vlp", *words, cwd=cwd, env={**kept, "MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl")})


def test_a_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    package = ROOT / "src" / "vlp"
    files = {
        str(file.relative_to(package)) for file in package.rglob("*") if file.is_file() and "__pycache__" not in file.parts
    }
    assert contents(wheel) == files


def test_a_source_archive_builds_the_same_wheel_and_brings_tests_and_docs(wheel: Path, tmp_path: Path) -> None:
    done = run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    assert {
        "LICENSE",
        "Makefile",
        "README.md",
        "docs/log.md",
        "examples/policy.json",
        "tests/packaging/test_installed.py",
    } <= names
    assert not [name for name in names if name.startswith((".git/", ".venv", "runs/"))]
    assert contents(build_wheel(archive, tmp_path)) == contents(wheel)


def test_the_installed_command_is_of_this_version(installed: Path, wheel: Path, tmp_path: Path) -> None:
    assert vlp(installed, tmp_path, "--version").stdout == f"vlp {__version__}\n"
    assert wheel.name.startswith(f"vlp-{__version__}-")
    where = run(installed / "python", "-I", "-c", "import vlp; print(vlp.__file__)", cwd=tmp_path).stdout
    assert str(installed.parent) in where, "the checkout was found instead of the wheel"


def test_the_installed_command_explains_itself_and_checks_a_policy(installed: Path, tmp_path: Path) -> None:
    help_text = vlp(installed, tmp_path, "run", "--help")
    assert help_text.returncode == 0 and "--change" in help_text.stdout
    checked = vlp(installed, tmp_path, "policy", "check", EXAMPLES / "policy.json", "--robot", "hsr")
    assert checked.returncode == 0 and ": ok" in checked.stdout, checked.stderr


def test_the_installed_package_reads_its_weights_words_and_bodies(installed: Path, tmp_path: Path) -> None:
    answered = vlp(installed, tmp_path, "ask", EXAMPLES / "table.png", "how many cubes are there?")
    assert answered.returncode == 0 and answered.stdout.strip(), answered.stderr
    declined = vlp(installed, tmp_path, "run", "put the banana in the fridge", "--seed", "20009802", "--out", "run")
    assert declined.returncode == 1 and "'banana'" in declined.stdout + declined.stderr, declined.stderr
