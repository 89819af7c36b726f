"""The reconciliation flow."""

from __future__ import annotations

from prefect import flow

from domain.marketplace import Marketplace
from flows import telling
from flows import upkeep_parameters as form
from flows.news import of_findings
from flows.opening import opened
from flows.parameters import ChunkSize
from flows.reconcile_reporting import ReconciliationReport, log_and_show, summary_of
from flows.reconciliation import Reconciliation, foreign_by
from flows.shown.board import progress_shown
from flows.shown.expected_errors import report_expected_errors

EVERY_MARKETPLACE: list[Marketplace] = []
NONE_GIVEN: list[str] = []


@flow(name="reconcile", flow_run_name="reconcile", persist_result=False)
@report_expected_errors()
async def reconcile(
    since_days: form.SinceDays = form.AS_SET,
    wallet_out_cny: form.WalletOutCny = "",
    marketplaces: form.Marketplaces = EVERY_MARKETPLACE,
    not_ours: form.ForeignLines = NONE_GIVEN,
    said_by: form.AnsweredBy = "",
    chunk_size: ChunkSize = 0,
) -> ReconciliationReport:
    """Compare the ledger with the marketplaces' own lists: orders, payments, shipments. Buys, pays and cancels nothing.

    Effects without an answer are settled by reading first, and the results recorded. The service has no operation for
    what left the wallet: give the sum of the console's statement, to have it compared too. Orders that other people
    made in the same account are found every time until you say that they are not ours.
    """
    left_wallet, foreign_ids = form.wallet_out(wallet_out_cny), form.foreign_orders(not_ours)
    asked, days = marketplaces or list(Marketplace), None if since_days == form.AS_SET else since_days
    async with opened() as resources:
        run = Reconciliation(resources, days, asked, chunk_size or resources.settings.chunk_size)
        async with progress_shown("reconciliation"):
            report = await run.report(left_wallet, foreign_by(foreign_ids, said_by))
        await telling.tell(resources.ledger, *of_findings(report.findings, summary_of(report)))
    await log_and_show(report)
    return report
