"""Sources of mail."""
