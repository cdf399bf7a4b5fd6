"""The dashboards, made from code: ``python -m grafana.make`` writes ``grafana/dashboards``."""
