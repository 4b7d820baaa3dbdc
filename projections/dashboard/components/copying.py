"""A value beside a button that copies it."""

from dash import html
from dash.development.base_component import Component

from projections.dashboard.components.basic import aria, data, icon


def copyable(value: object, what: str, shown: Component | str | None = None) -> html.Span:
    """assets/copy.js copies the whole value, whatever of it is shown; `what` names it, such as `order id`."""
    text = str(value)
    button = html.Button(
        icon("copy"),
        className="copy",
        type="button",
        title=f"Copy {what}",
        **data(copy=text),
        **aria(label=f"Copy {what} {text}"),
    )
    return html.Span([html.Span(shown or text, className="mono"), button], className="copyable")
