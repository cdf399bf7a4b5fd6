"""Benches run seldom, so that they would not notice when what they use was moved."""

import importlib
import pkgutil

import pytest

import benchmarks


@pytest.mark.parametrize("name", [each.name for each in pkgutil.walk_packages(benchmarks.__path__, "benchmarks.")])
def test_every_bench_finds_what_it_uses(name: str) -> None:
    assert importlib.import_module(name).__doc__
