"""A labelled simulation of an organisation's mail with intruders in it, and what the detectors make of it."""
