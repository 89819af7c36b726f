"""The reconciliation flow."""

from __future__ import annotations

from prefect import flow

from domain.marketplace import Marketplace
from domain.money import Money
from flows.opening import opened
from flows.parameters import ChunkSize
from flows.reconcile_reporting import ReconciliationReport, tell
from flows.reconciliation import Reconciliation, said_of
from flows.shown.board import progress_shown
from flows.shown.expected_failures import ends_plainly
from flows.upkeep_parameters import Marketplaces, NotOursLines, SaidBy, SinceDays, WalletOutCny

EVERY_MARKETPLACE: list[Marketplace] = []
NONE_SAID: list[str] = []


@flow(name="reconcile", flow_run_name="reconcile", persist_result=False)
@ends_plainly()
async def reconcile(
    since_days: SinceDays = None,
    wallet_out_cny: WalletOutCny = "",
    marketplaces: Marketplaces = EVERY_MARKETPLACE,
    not_ours: NotOursLines = NONE_SAID,
    said_by: SaidBy = "",
    chunk_size: ChunkSize = 0,
) -> ReconciliationReport:
    """Compare the ledger with the marketplaces' own lists: orders, payments, shipments. Buys, pays and cancels nothing.

    What has no answer yet is looked for first, and what reading settles is recorded. The service has no operation that
    tells what left the wallet: give what the console's statement says, to have it compared too. Orders that somebody
    else made in the same account are found every time until you say that they are not ours.
    """
    wallet_out = Money.parse(wallet_out_cny) if wallet_out_cny else None
    asked = marketplaces or list(Marketplace)
    async with opened() as resources:
        run = Reconciliation(resources, since_days, asked, chunk_size or resources.settings.chunk_size)
        async with progress_shown("reconciliation"):
            report = await run.report(wallet_out, said_of(not_ours, said_by))
    await tell(report)
    return report
