"""1688 / Product: keyword query and details (contract 2.6)."""

from __future__ import annotations

from pydantic import Field

from connectors.xportcn import operations
from connectors.xportcn.api.base import ReadCall
from connectors.xportcn.wire import Id, IdNumber, Reader, Writer, Yuan, either


class SearchRequest(Writer):
    """`price_start` and `price_end` in yuan."""

    keyword: str
    begin_page: int
    page_size: int
    country: str = "en"
    filter: str | None = None
    sort: str | None = None
    out_member_id: str | None = None
    price_start: str | None = None
    price_end: str | None = None
    category_id: str | None = None


class PriceInfo(Reader):
    price: Yuan


class SearchHit(Reader):
    offer_id: Id
    subject: str = ""
    subject_trans: str = ""
    image_url: str = ""
    price_info: PriceInfo
    seller_open_id: str = ""
    month_sold: int = 0


class SearchPage(Reader):
    total_records: int = 0
    total_page: int = 0
    page_size: int = 0
    current_page: int = 0
    data: tuple[SearchHit, ...] = ()


class DetailRequest(Writer):
    offer_id: IdNumber
    country: str = "en"
    out_member_id: str | None = None


class SkuAttribute(Reader):
    attribute_name: str = ""
    value: str = ""


class ProductSku(Reader):
    sku_id: Id
    spec_id: str = ""
    price: Yuan
    amount_on_sale: int = 0
    sku_attributes: tuple[SkuAttribute, ...] = ()
    sku_image_url: str = ""


class PriceRange(Reader):
    start_quantity: int
    price: Yuan


class SaleInfo(Reader):
    amount_on_sale: int = 0
    price_range_list: tuple[PriceRange, ...] = ()


class ProductImage(Reader):
    images: tuple[str, ...] = ()


class SellerData(Reader):
    shop_name: str = ""


class Product(Reader):
    offer_id: Id
    subject: str = ""
    subject_trans: str = ""
    category_id: Id = ""
    category_name: str = ""
    status: str = ""
    min_order_quantity: int = 1
    batch_number: int = 0
    seller_open_id: str = ""
    seller_data: SellerData = Field(SellerData(), validation_alias=either("sellerDataInfo"))
    product_image: ProductImage = ProductImage()
    product_sku_infos: tuple[ProductSku, ...] = ()
    product_sale_info: SaleInfo = SaleInfo()


SEARCH = ReadCall(operation=operations.ALIBABA_SEARCH, request=SearchRequest, response=SearchPage)
DETAIL = ReadCall(operation=operations.ALIBABA_PRODUCT, request=DetailRequest, response=Product)
