"""`make chaos-report DIR=...`: the report of a chaos run as a page of docs/chaos, with a picture of its plots."""

import json
import shutil
import sys
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from devstack.state import ROOT
from tests.shop.support.browser import CHROMIUM, WITHOUT_CHROMIUM, chromium

PAGES = ROOT / "docs" / "chaos"
HERE = Path(__file__).parent


def main() -> None:
    if CHROMIUM is None:
        sys.exit(f"No page was made: {WITHOUT_CHROMIUM}")
    if len(sys.argv) != 2 or not (directory := Path(sys.argv[1])).joinpath("report.json").is_file():
        sys.exit("Name the directory of a chaos run, which has a report.json: make chaos-report DIR=chaos-seed-7")
    report = json.loads((directory / "report.json").read_text())
    name = f"seed-{report['seed']}"
    PAGES.mkdir(exist_ok=True)
    shutil.copy2(directory / "report.json", PAGES / f"{name}.json")
    take(directory / "report.html", PAGES / f"{name}.png")
    text = environment().get_template("chaos_report.md").render(report, picture=f"{name}.png")
    (PAGES / f"{name}.md").write_text(text)
    sys.stdout.write(f"{PAGES / name}.md\n")


def environment() -> Environment:
    """Made for Markdown."""
    made = Environment(loader=FileSystemLoader(HERE), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["cell"] = cell
    return made


def cell(text: str) -> str:
    """As it stands in a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def take(page: Path, picture: Path) -> None:
    with chromium() as browser:
        tab = browser.new_page(viewport={"width": 1240, "height": 1200}, color_scheme="light")
        tab.goto(page.resolve().as_uri())
        tab.locator(".js-plotly-plot").screenshot(path=picture)


if __name__ == "__main__":
    main()
