import sys
from pathlib import Path

import pytest

for neighbour in ("models", "data"):  # their toy model and made-up samples
    sys.path.insert(0, str(Path(__file__).parent.parent / neighbour))


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of random weights in the layout of the embedded model; not to be changed."""
    from toy_model import write_toy_model

    return write_toy_model(tmp_path_factory.mktemp("base") / "toy")


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean store: 24 samples to train on, 8 of validation; not to be changed."""
    import kit

    folder = tmp_path_factory.mktemp("samples") / "samples"
    kit.write(folder, 40)
    return folder
