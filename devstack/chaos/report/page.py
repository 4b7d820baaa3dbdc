"""The HTML file of a report: everything is in it, so that it needs no network."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from devstack.chaos.report.plots import figure
from devstack.chaos.report.report import Report

HERE = Path(__file__).parent


def page(report: Report) -> str:
    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
    options = {"responsive": True, "displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}
    plots = figure(report).to_html(full_html=False, include_plotlyjs=True, config=options)
    return environment.get_template("page.html").render(report=report, plots=plots)
