from pathlib import Path

import pytest
from toy_model import write_toy_model

from vlp.models.transformers_model import TransformersModel


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of random weights in the layout of the embedded model; not to be changed."""
    return write_toy_model(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="session")
def toy(toy_folder: Path) -> TransformersModel:
    """The model of that folder."""
    return TransformersModel(toy_folder, device="cpu")
