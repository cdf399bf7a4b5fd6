"""Reads mail flow off the wire and tells which mailbox forwards what, to whom, and how sure that is."""
