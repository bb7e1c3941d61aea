import sys
from pathlib import Path

for neighbour in ("models", "data"):  # their toy model and made-up samples
    sys.path.insert(0, str(Path(__file__).parent.parent / neighbour))
