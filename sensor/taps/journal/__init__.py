"""Copies of mail that others send us, as a source of mail."""
