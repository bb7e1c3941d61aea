"""The version stands in one place, `vlp.__version__`; everything else reads it there."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

from vlp import __version__

ROOT = Path(__file__).parents[1]


def test_the_project_takes_its_version_from_the_package() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["project"]["dynamic"] == ["version"] and "version" not in settings["project"]
    assert settings["tool"]["hatch"]["version"] == {"path": "src/vlp/__init__.py"}


def test_the_installed_metadata_is_of_this_version() -> None:
    """Against: an editable install that was made before the version went up says the old one everywhere; install again."""
    assert version("vlp") == __version__


def test_the_changelog_begins_with_this_version() -> None:
    first = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert first and first[1] == __version__


def test_no_other_file_of_the_package_writes_it_down() -> None:
    package = ROOT / "src" / "vlp"
    assert [file for file in package.rglob("*.py") if f'"{__version__}"' in file.read_text()] == [package / "__init__.py"]
