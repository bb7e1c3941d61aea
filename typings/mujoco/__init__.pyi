# MuJoCo's bindings ship no types; pyright would call every name of theirs unknown.
from typing import Any

def __getattr__(name: str) -> Any: ...
