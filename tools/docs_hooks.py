"""Hooks of MkDocs: the README becomes the front page, examples and packages get pages, the version comes from the package."""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "vlp"

API = ("core", "primitives", "policy", "journal", "understanding", "prompt", "robot", "models", "perception", "data", "runtime")
"""The packages and modules that a program of one's own imports."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Set the version, and replace each folder in the navigation by its pages."""
    found = re.search(r'^__version__ = "(.+)"$', (PACKAGE / "__init__.py").read_text(), re.M)
    assert found, "src/vlp/__init__.py does not give a version"
    config.copyright = f"vlp {found[1]} · Apache-2.0"
    config.nav = _expanded(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages; leave out the data files of results, which only scripts read."""
    for file in list(files):
        if file.src_uri.startswith("results/") and Path(file.src_uri).suffix not in (".md", ".png", ".jpg", ".svg"):
            files.remove(file)
    for name, text in _generated().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links to README and examples at their pages here."""
    up = "../" * page.file.src_uri.count("/")
    markdown = re.sub(r"\]\((?:\.\./)+README\.md\)", f"]({up}index.md)", markdown)
    markdown = re.sub(r"\]\((?:\.\./)+(CONTRIBUTING|CHANGELOG)\.md\)", lambda found: f"]({up}{found[1].lower()}.md)", markdown)
    return re.sub(r"\]\((?:\.\./)+(examples/\S*)\)", lambda found: f"]({up}{_example(found[1])})", markdown)


def _example(path: str) -> str:
    """Return the page of a file in `examples/`."""
    return f"examples/{Path(path).stem}.md" if path.endswith(".py") else "examples/index.md"


def _generated() -> dict[str, str]:
    examples = sorted((ROOT / "examples").glob("*.py"))
    pages = {
        "index.md": _as_page(ROOT / "README.md"),
        "examples/index.md": "# Examples\n\nEach is one file that runs as it stands; `--smoke` makes it short.\n",
        "reference/api/index.md": "# Python API\n\nWritten from the docstrings.\n",
    }
    for name in ("CONTRIBUTING", "CHANGELOG"):
        pages[f"{name.lower()}.md"] = _as_page(ROOT / f"{name}.md")
    for file in examples:
        pages["examples/index.md"] += f"\n- [{file.stem}]({file.stem}.md): {_purpose(file)}"
        pages[f"examples/{file.stem}.md"] = f'# {file.stem}\n\n```python title="examples/{file.name}"\n{file.read_text()}```\n'
    for name in API:
        purpose = _purpose(_files(name)[0])
        pages["reference/api/index.md"] += f"\n- [`vlp.{name}`]({name}.md)" + (f": {purpose}" if purpose else "")
        pages[f"reference/api/{name}.md"] = f"# vlp.{name}\n\n" + "\n\n".join(f"::: {module}" for module in _modules(name))
    return pages


def _as_page(file: Path) -> str:
    """Return a file of the repository's root, its links as from `docs/`."""
    text = re.sub(r"(\]\(|src=\")docs/", r"\1", file.read_text()).replace("](results/)", "](log.md)")
    text = re.sub(r"\]\((CONTRIBUTING|CHANGELOG)\.md\)", lambda found: f"]({found[1].lower()}.md)", text)
    return re.sub(r"\]\((examples/\S*)\)", lambda found: f"]({_example(found[1])})", text)


def _files(package: str) -> list[Path]:
    """Return the files of a package, its `__init__.py` first, or of what is a module by itself."""
    alone = PACKAGE / f"{package}.py"
    return [alone] if alone.is_file() else sorted((PACKAGE / package).rglob("*.py"))


def _modules(package: str) -> list[str]:
    files = [file for file in _files(package) if file.stat().st_size]
    return [".".join(("vlp", *file.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__") for file in files]


def _purpose(file: Path) -> str:
    found = re.match(r'"""(.+?)(?:"""|\n)', file.read_text())
    return found[1] if found else ""


def _expanded(nav: Any) -> Any:
    if isinstance(nav, str):
        return _folder(nav) if nav.endswith("/") else nav
    if isinstance(nav, dict):
        return {title: _expanded(inner) for title, inner in nav.items()}
    return [entry for item in nav for entry in (_folder(item) if str(item).endswith("/") else [_expanded(item)])]


def _folder(name: str) -> list[str]:
    """Return the pages of a folder, its index first."""
    written = {str(file.relative_to(ROOT / "docs")) for file in (ROOT / "docs" / name).glob("*.md")}
    pages = written | {page for page in _generated() if page.rpartition("/")[0] + "/" == name}
    return sorted(pages, key=lambda page: (not page.endswith("index.md"), page))
