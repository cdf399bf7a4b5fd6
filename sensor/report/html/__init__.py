"""The incident report: one self-contained HTML page that an incident team can pass on."""

from sensor.report.html.page import CaptureFacts, Page, RunFacts, page_of
from sensor.report.html.render import render

__all__ = ["CaptureFacts", "Page", "RunFacts", "page_of", "render"]
