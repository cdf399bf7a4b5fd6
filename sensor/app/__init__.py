"""The one place that builds the parts and joins them: a module for each command."""
