"""Reports for people and scripts."""
