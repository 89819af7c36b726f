"""The account at the service as a Prefect block, for runs without an account in their
environment.
"""

from __future__ import annotations

from typing import Any

from prefect.blocks.core import Block
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL
from pydantic import Field, HttpUrl, SecretStr

from connectors.foreign import prefect_errors, words_of
from connectors.xportcn.settings import Account


class BlockUnreadable(Exception):
    """The block can't be read; the message names the block and the remedy."""


class XportcnCredentials(Account, Block):
    """Your account at Xportcn: where the service is, and the keys of your account
    there.

    A flow run uses the block named `default` when its environment and its `.env` file
    name no account. Set `XPORTCN_CREDENTIALS_BLOCK` where the run takes place to use
    another.

    Example:
        ```python
        from connectors.credentials_block import XportcnCredentials

        credentials = XportcnCredentials.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "Xportcn Credentials"
    _block_type_slug = "xportcn-credentials"
    _documentation_url = HttpUrl("https://www.xportcn.com")
    _logo_url = HttpUrl(
        "https://raw.githubusercontent.com/PrefectHQ/prefect/420d0d6a78bb6df1fc18bcf188fdad43c1d22ea9/assets/block-logos/secret.png"
    )

    base_url: str = Field(
        title="Base URL",
        description="Where the service is: its origin plus /api, or a sandbox's bare origin.",
        examples=["https://www.xportcn.com/api"],
        pattern="^https?://",
    )
    access_key: str = Field(
        title="Access key", description="The access key of your account.", min_length=1
    )
    access_secret: SecretStr = Field(
        title="Access secret", description="The secret that requests are signed with."
    )
    user_id: str = Field(
        title="User ID",
        description="The number of your account, as the console shows it.",
        min_length=1,
    )

    def settings(self) -> dict[str, Any]:
        """The block's values, under the names of `XportcnSettings`."""
        credentials = {
            name: getattr(self, name)
            for name in type(self).model_fields
            if not name.startswith("_")
        }
        return credentials | {"access_secret": self.access_secret.get_secret_value()}


def settings_from_block(name: str) -> dict[str, Any] | None:
    """The settings in a block; None when there is no such block. Raises
    `BlockUnreadable`.
    """
    if not PREFECT_API_URL.value():
        raise BlockUnreadable(
            f"the account is in the Prefect block {name!r}: set PREFECT_API_URL to reach it"
        )
    try:
        block: XportcnCredentials = XportcnCredentials.load(name, _sync=True)  # type: ignore[assignment, call-arg]
    except ValueError as error:
        if isinstance(error.__cause__, ObjectNotFound):
            return None
        raise BlockUnreadable(
            f"the Prefect block {name!r} can't be read ({words_of(error)}): save it again"
        ) from error
    except prefect_errors(OSError) as error:
        raise BlockUnreadable(
            f"the Prefect block {name!r} can't be read, and with it the account: {words_of(error)}"
        ) from error
    return block.settings()
