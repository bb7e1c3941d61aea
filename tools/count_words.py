"""Count words of README.md and docs/*.md as `wc -w` does, then and now: `python tools/count_words.py [COMMIT]`."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Print a table of words per page; returns the exit status."""
    commit = (sys.argv[1:] or ["15bf764"])[0]
    listed = _git("ls-tree", "--name-only", commit, "README.md", "docs/").split()
    earlier = {page: len(_git("show", f"{commit}:{page}").split()) for page in listed if page.endswith(".md")}
    files = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    now = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").split()) for file in files}
    print(f"| page | {commit} | now |\n| --- | --- | --- |")
    for page in sorted({*earlier, *now}):
        print(f"| {page} | {earlier.get(page, 0)} | {now.get(page, 0)} |")
    before, after = sum(earlier.values()), sum(now.values())
    print(f"| all | {before} | {after} ({100 * after / before:.1f} %) |")
    return 0


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
