"""A text in the person's own editor."""

import os
import shlex
import subprocess
import tempfile
import threading
from pathlib import Path

from vlp.core.errors import MissingComponent, UsageError


def edited(text: str, ended: threading.Event) -> str:
    """Return a text as a person left it in $VISUAL or $EDITOR, else in vi.

    Args:
        text: shown in the editor as a JSON file.
        ended: the editor is closed once this is set.

    Raises:
        UsageError: the editor failed or was closed, or left the text as it was.
        MissingComponent: there is no such editor.
    """
    words = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="vlp-edit-") as folder:
        file = Path(folder) / "policy.json"
        file.write_text(text, encoding="utf-8")
        try:
            with subprocess.Popen([*words, str(file)]) as editor:
                while editor.poll() is None:
                    if ended.wait(0.1):
                        editor.terminate()
        except OSError as error:
            said = f"the editor {words[0]!r} cannot be started: {error.strerror}."
            raise MissingComponent(said, "Set EDITOR, or type the policy's JSON as the answer.") from None
        if editor.returncode:
            raise UsageError(f"the editor ended with status {editor.returncode}; the policy stays as it is.")
        after = file.read_text(encoding="utf-8", errors="replace")
    if after.strip() == text.strip():
        raise UsageError("the editor left the policy as it is.", "`yes` starts it.")
    return after
