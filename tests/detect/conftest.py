"""Chance for tests of detectors."""

import random

import pytest


@pytest.fixture
def chance() -> random.Random:
    """Follows from the seed that is printed at the top of a test run."""
    return random.Random(random.random())  # noqa: S311 - it is to be repeatable
