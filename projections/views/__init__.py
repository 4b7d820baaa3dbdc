"""Every view of the shop's read side, by table."""

from projections.views import minutes, payments, sagas, stock, totals

VIEWS = {view.table: view for view in (sagas.VIEW, stock.VIEW, payments.VIEW, minutes.VIEW, totals.VIEW)}
