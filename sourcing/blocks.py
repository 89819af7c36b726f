"""The block types that Prefect finds in an installation, by the entry point
`prefect.collections`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sourcing import from_site

if TYPE_CHECKING:
    from connectors.credentials_block import XportcnCredentials
else:
    XportcnCredentials = from_site("connectors.credentials_block").XportcnCredentials

__all__ = ["XportcnCredentials"]
