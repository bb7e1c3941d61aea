"""Files with a test marked as slow or long begin first: one that begins last leaves the other cores idle until its end."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put those files first; otherwise the order stays."""
    slow = {item.path for item in items if item.get_closest_marker("slow") or item.get_closest_marker("long")}
    items.sort(key=lambda item: item.path not in slow)
