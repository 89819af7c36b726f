"""1688 / Product: categories, search by words, image and shop, details, chat links
(contract 2.6).
"""

from __future__ import annotations

from pydantic import Field

from connectors.xportcn.models import PageOf, Request, Response, alias
from connectors.xportcn.operations.operation import ASSUMED, SIBLING, Group
from connectors.xportcn.wire import Code, Count, GivenId, Id, IdNumber, Word, Yuan


class CategoryRequest(Request):
    """0 asks for the roots."""

    category_id: IdNumber = "0"


class Category(Response):
    category_id: GivenId = Field(validation_alias=alias("categoryID", "categoryId"))
    name: str = ""
    level: Code | None = None
    is_leaf: bool = False


class Narrowed(Request):
    """Filters of every search; `price_start` and `price_end` in yuan, `sort` is JSON
    text.
    """

    begin_page: int
    page_size: int
    country: str = "en"
    sort: str | None = None
    price_start: str | None = None
    price_end: str | None = None


class SearchRequest(Narrowed):
    """`keyword` may be empty with a `category_id`."""

    keyword: str
    category_id: str | None = None


class ImageSearchRequest(Narrowed):
    """Exactly one of the images."""

    image_base64: str | None = None
    image_address: str | None = None
    category_id: IdNumber | None = None


class ShopSearchRequest(Narrowed):
    seller_open_id: str
    keyword: str | None = None


class WangwangRequest(Request):
    """`open_uid` is the offer's `seller_open_id`."""

    offer_id: IdNumber
    open_uid: str


class PriceInfo(Response):
    price: Yuan


class SearchHit(Response):
    offer_id: GivenId
    subject: str = ""
    subject_trans: str = ""
    image_url: str = ""
    price_info: PriceInfo
    seller_open_id: str = ""


class DetailRequest(Request):
    offer_id: IdNumber
    country: str = "en"


class SkuAttribute(Response):
    attribute_name: str = ""
    value: str = ""


class ProductSku(Response):
    sku_id: GivenId
    spec_id: str = ""
    price: Yuan
    amount_on_sale: Count = 0
    sku_attributes: tuple[SkuAttribute, ...] = ()
    sku_image_url: str = ""


class PriceRange(Response):
    start_quantity: Count
    price: Yuan


class SaleInfo(Response):
    price_range_list: tuple[PriceRange, ...] = ()


class ProductImage(Response):
    images: tuple[str, ...] = ()


class SellerData(Response):
    shop_name: str = ""


class Product(Response):
    offer_id: GivenId
    subject: str = ""
    subject_trans: str = ""
    category_id: Id = ""
    category_name: str = ""
    status: Word = ""
    min_order_quantity: Count = 1
    seller_open_id: str = ""
    seller_data: SellerData = Field(
        SellerData(), validation_alias=alias("sellerDataInfo")
    )
    product_image: ProductImage = ProductImage()
    product_sku_infos: tuple[ProductSku, ...] = ()
    product_sale_info: SaleInfo = SaleInfo()


GROUP = Group("1688 / Product")
CATEGORY = GROUP(
    44, "category get", "POST /alibaba/product/category/get", ASSUMED
).read(CategoryRequest, tuple[Category, ...])
DETAIL = GROUP(
    45,
    "Product details query",
    "POST /alibaba/product/detail/get",
    SIBLING,
    "1688.detail",
).read(DetailRequest, Product)
WANGWANG_URL = GROUP(
    46,
    "Convert decryption to Wang Wang URL",
    "POST /alibaba/product/openuid/decrypt",
    SIBLING,
).read(WangwangRequest, object)
SEARCH = GROUP(
    47,
    "Product keyword query",
    "POST /alibaba/product/keywords/query",
    SIBLING,
    "1688.search",
).read(SearchRequest, PageOf[SearchHit])
IMAGE_SEARCH = GROUP(
    48,
    "Product image search",
    "POST /alibaba/product/image/query",
    SIBLING,
    "1688.search",
).read(ImageSearchRequest, PageOf[SearchHit])
SHOP_SEARCH = GROUP(
    49, "Shop search", "POST /alibaba/product/query/selleroffer", SIBLING, "1688.search"
).read(ShopSearchRequest, PageOf[SearchHit])
