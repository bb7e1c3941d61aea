"""What an environment consists of, as a bill of materials (CycloneDX), and which known advisories its packages have.

    make dependencies                       # build/sbom.json and docs/results/dependencies.md
    python tools/dependencies.py --tools TOOLS/bin --python .venv/bin/python --ask all

`cyclonedx-py` and `pip-audit` lie in an environment of their own: neither is a dependency of vlp.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any


def bill(tools: Path, python: Path, out: Path) -> dict[str, Any]:
    """Write the bill of materials of an environment, and return it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [tools / "cyclonedx-py", "environment", "--output-reproducible", "--of", "JSON", "-o", out, python]
    subprocess.run([str(word) for word in command], check=True, stdout=sys.stderr)
    return json.loads(out.read_text())


def advisories(tools: Path, pins: dict[str, str]) -> dict[str, Any] | str:
    """Return what pip-audit knows of pinned packages, or why it could not ask."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("".join(f"{name}=={version}\n" for name, version in pins.items()))
        file.flush()
        command = [
            str(tools / "pip-audit"),
            "-r",
            file.name,
            "--no-deps",
            "--disable-pip",
            "-f",
            "json",
            "--progress-spinner",
            "off",
        ]
        done = subprocess.run(command, capture_output=True, text=True)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return (done.stderr.strip().splitlines() or ["no answer"])[-1][:200]


def direct(pyproject: Path) -> set[str]:
    """Return the names of the packages that every install of vlp brings."""
    listed = tomllib.loads(pyproject.read_text())["project"]["dependencies"]
    return {word.split(">")[0].split("=")[0].split("[")[0].strip().lower() for word in listed}


def page(parts: list[dict[str, Any]], asked: dict[str, str], told: dict[str, Any] | str) -> str:
    """Return the page of what was found."""
    licences = Counter(_licence(part) for part in parts)
    lines = [
        "# Dependencies\n",
        "`make dependencies` writes this page, and the bill of materials (CycloneDX) to `build/sbom.json`.\n",
    ]
    lines += [f"{len(parts)} packages in the development environment, by licence as they state it:\n"]
    lines += ["| licence | packages |\n| --- | --- |", *(f"| {name} | {count} |" for name, count in licences.most_common())]
    lines += [f"\n## Known advisories\n\nAsked of the package index for {len(asked)} of them, by `pip-audit`.\n"]
    if isinstance(told, str):
        return "\n".join([*lines, f"The service could not be asked: {told}"]) + "\n"
    if all("skip_reason" in found for found in told["dependencies"]):
        return (
            "\n".join([*lines, "The index told nothing of any of them: that is no pass. Ask again where PyPI itself answers."])
            + "\n"
        )
    lines += ["| package | version | advisories | mended in |\n| --- | --- | --- | --- |"]
    for found in sorted(told["dependencies"], key=lambda found: found["name"]):
        known = found.get("vulns", [])
        ids = ", ".join(one["id"] for one in known) or found.get("skip_reason", "none")
        mended = ", ".join(sorted({version for one in known for version in one["fix_versions"]}))
        lines.append(f"| {found['name']} | {found.get('version', asked.get(found['name'], ''))} | {ids} | {mended} |")
    return "\n".join(lines) + "\n"


def _licence(part: dict[str, Any]) -> str:
    stated = [entry.get("expression") or entry.get("license", {}).get("id") or "" for entry in part.get("licenses", ())]
    return next((name for name in stated if name), "stated in words only" if stated else "not stated")


def main() -> None:
    """Write both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, required=True, help="where cyclonedx-py and pip-audit are")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="of the environment")
    parser.add_argument("--bom", type=Path, default=Path("build/sbom.json"))
    parser.add_argument("--ask", choices=("direct", "all"), default="direct", help="whose advisories the index is asked for")
    options = parser.parse_args()
    parts = [part for part in bill(options.tools, options.python, options.bom)["components"] if part["name"] != "vlp"]
    chosen = direct(Path("pyproject.toml"))
    pins = {part["name"]: part["version"] for part in parts if options.ask == "all" or part["name"].lower() in chosen}
    print(page(parts, pins, advisories(options.tools, pins)), end="")


if __name__ == "__main__":
    main()
