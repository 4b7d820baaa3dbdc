"""Every view of the shop's read side, by table."""

from projections.views import minutes, payments, refunds, sagas, stock, totals

VIEWS = {view.table: view for view in (sagas.VIEW, stock.VIEW, payments.VIEW, refunds.VIEW, minutes.VIEW, totals.VIEW)}
