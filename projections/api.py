"""The read side's HTTP process: its API, the event stream, the audit, parked messages, webhooks and the dashboard."""

from ordersaga.http import app as web
from ordersaga.http import event_stream, sign_in
from ordersaga.http.parked import mount_parked
from ordersaga.http.problems import Problem, respond
from ordersaga.http.webhooks import mount_webhooks
from projections.audit import api as audit
from projections.audit.sources import Sources
from projections.dashboard import app as dashboard
from projections.queries.search import AmbiguousId
from projections.routes import routes
from projections.service import projections
from projections.settings import ProjectionsSettings


def create_app() -> web.Api:
    """Raises MissingSetting when the environment lacks something."""
    app = web.create_app(projections, routes, "Read side", roles=("customer",))
    app.register_error_handler(AmbiguousId, lambda error: respond(Problem(409, "ambiguous-id", str(error))))
    app.mount(event_stream.routes)
    sign_in.mount(app, "OrderSaga")
    sources = Sources.of(app.database, app.settings_as(ProjectionsSettings).audit_checkpoints)
    audit.mount(app, sources)
    mount_parked(app)
    mount_webhooks(app, app.settings_as(ProjectionsSettings), tuple(projections.known_contracts))
    dashboard.mount(app, sources)
    return app
