import pytest
from views import View, make_view


@pytest.fixture
def view() -> View:
    """The view of a scene with several objects."""
    return make_view(7)
