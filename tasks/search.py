"""Find the offers that request lines mean: by id, URL or words, each distinct item once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from connectors.xportcn.errors import Misconfigured, XportcnError
from domain.items import ItemId, read_item
from domain.marketplace import Marketplace
from domain.offers import Offer
from tasks.bounded import each
from tasks.resources import Resources
from tasks.retrying import passing_trouble

Item = tuple[Marketplace, str]


@task(
    name="search",
    task_run_name="search {label}",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=2,
    retry_delay_seconds=[1, 5],
    retry_condition_fn=passing_trouble,
)
async def search_items(resources: Resources, items: Sequence[Item], *, label: str) -> Mapping[Item, Offer | str]:
    """For each item its offer, or the reason why there is none."""
    found = await each(items, lambda item: _find(resources, *item), at_once=resources.concurrency)
    return dict(zip(items, found, strict=True))


async def _find(resources: Resources, marketplace: Marketplace, text: str) -> Offer | str:
    channel = resources.channels[marketplace]
    item = read_item(marketplace, text)
    try:
        if isinstance(item, ItemId):
            return await channel.offer(item.id) or f"{marketplace} has no item {item.id}"
        hits = await channel.search(item.text, limit=1)
        if not hits:
            return f"nothing on {marketplace} matches {item.text!r}"
        return await channel.offer(hits[0].item_id) or f"{marketplace} has no item {hits[0].item_id}"
    except Misconfigured:
        raise
    except XportcnError as error:
        return f"could not be looked up ({error.message}). Run again"
