"""The parts of ``tests.builders``: dialogue, flow, frames, files. Standard library only, made for speed."""
