"""Captures with their truth, and what makes the crafted ones."""
