"""What holds for every test."""

from hypothesis import settings

# A time limit per example would fail tests for what else the machine does; what must be quick is measured as a ratio.
settings.register_profile("sensor", deadline=None)
settings.load_profile("sensor")
