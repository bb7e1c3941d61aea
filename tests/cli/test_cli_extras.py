"""In an installation without extras the light commands work, and the others name what to install."""

import json
import subprocess
import sys
from pathlib import Path

COMMANDS: list[tuple[list[str], int, str]] = [
    (["policy", "show", "good.json"], 0, ""),
    (["policy", "check", "good.json", "--robot", "standard"], 0, ""),
    (["policy", "convert", "good.json", "--to", "mermaid"], 0, ""),
    (["policy", "check", "good.json"], 3, "pip install 'vlp[sim]'"),
    (
        ["run", "clear the table", "--model", "scripted:replies.json", "--grounder", "oracle"],
        3,
        "pip install 'vlp[sim]'",
    ),
    (["run", "clear the table", "--model", "expert"], 3, "pip install 'vlp["),
    (["run", "clear the table", "--model", "somebody/some-model"], 3, "pip install 'vlp[models]'"),
    (["robot", "serve", "--grounder", "none"], 3, "pip install 'vlp[sim]'"),
    (["world", "show"], 3, "pip install 'vlp[sim]'"),
    (["train", "sft"], 3, "pip install 'vlp[train,data]'"),
    (["gate", "parity", "run"], 3, "pip install 'vlp[train,sim]'"),
    (["gate", "plans", "run"], 3, "pip install 'vlp[train,sim]'"),
    (["serve"], 3, "pip install 'vlp[serve]'"),
    (["train", "nano"], 3, "pip install 'vlp[train,sim]'"),
]


def test_a_missing_extra_is_named_with_its_install_command(tmp_path, policy_file):
    (tmp_path / "replies.json").write_text(f"[{policy_file.read_text()}]")
    script = Path(__file__).with_name("without_extras.py")
    asked = json.dumps([argv for argv, _, _ in COMMANDS])
    done = subprocess.run([sys.executable, script, asked], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    for (argv, status, words), (got, err) in zip(COMMANDS, json.loads(done.stdout), strict=True):
        assert got == status and words in err, (argv, got, err)
    assert not (tmp_path / "runs").exists(), "nothing is made by a command that cannot run"
