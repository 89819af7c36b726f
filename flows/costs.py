"""The flow that says what orders cost."""

from __future__ import annotations

from prefect import flow

from connectors.rates_file import read_rates
from connectors.settings import SourcingSettings, XportcnSettings
from domain.cost_report import CostReport
from domain.landed import Books
from flows.costing import CostFiles, cost, report_costs
from flows.shown.expected_errors import report_expected_errors
from flows.upkeep_parameters import BooksCurrency, CsvFile, SheetFile, SinceDay, a_currency, a_day
from tasks.resources import open_resources


@flow(name="costs", flow_run_name="what orders cost", persist_result=False)
@report_expected_errors()
async def costs(
    since: SinceDay = "", currency: BooksCurrency = "", csv_file: CsvFile = "", sheet: SheetFile = ""
) -> CostReport:
    """What each line of every paid order cost in all: goods, postage, fees, freight, less discounts and refunds.

    In the currency of your books, at your own rates: SOURCING_RATES names the file. An order whose rate is missing or
    older than 7 days gets no sum, and that is said. Asks the service nothing, and changes no order.
    """
    settings, since = SourcingSettings(), a_day(since)
    books = Books(a_currency(currency) or settings.currency, read_rates(settings.rates_file))
    async with open_resources(settings, XportcnSettings()) as resources:
        report = await cost(resources, books, since, CostFiles(csv_file, sheet))
    await report_costs(report)
    return report
