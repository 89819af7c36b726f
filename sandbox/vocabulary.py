"""The words that catalogue titles are made of: Chinese with its English, by kind of
goods.
"""

from __future__ import annotations

Word = tuple[str, str]

ADJECTIVES: tuple[Word, ...] = (
    ("加厚", "Thickened"),
    ("简约", "Minimalist"),
    ("复古", "Vintage"),
    ("轻便", "Lightweight"),
    ("大号", "Large"),
    ("迷你", "Mini"),
    ("防水", "Waterproof"),
    ("可折叠", "Foldable"),
    ("多功能", "Multifunctional"),
    ("网红", "Trending"),
    ("高档", "Premium"),
    ("新款", "New"),
)

USES: tuple[Word, ...] = (
    ("家用", "for home"),
    ("户外", "for outdoors"),
    ("办公", "for office"),
    ("旅行", "for travel"),
    ("学生", "for students"),
    ("儿童", "for children"),
    ("送礼", "as a gift"),
    ("四季通用", "all seasons"),
)

# kind of goods: category id and name, materials, products
GOODS: tuple[tuple[str, Word, tuple[Word, ...], tuple[Word, ...]], ...] = (
    (
        "50010850",
        ("服装", "Clothing"),
        (
            ("纯棉", "Cotton"),
            ("亚麻", "Linen"),
            ("羊毛", "Wool"),
            ("真丝", "Silk"),
            ("牛仔", "Denim"),
        ),
        (
            ("T恤", "T-shirt"),
            ("衬衫", "Shirt"),
            ("卫衣", "Hoodie"),
            ("连衣裙", "Dress"),
            ("休闲裤", "Trousers"),
        ),
    ),
    (
        "50016349",
        ("厨房用品", "Kitchenware"),
        (
            ("不锈钢", "Stainless steel"),
            ("陶瓷", "Ceramic"),
            ("竹木", "Bamboo"),
            ("硅胶", "Silicone"),
        ),
        (
            ("保温杯", "Thermos cup"),
            ("饭盒", "Lunch box"),
            ("砧板", "Cutting board"),
            ("锅铲", "Spatula"),
            ("碗", "Bowl"),
        ),
    ),
    (
        "50012082",
        ("收纳用品", "Storage"),
        (
            ("塑料", "Plastic"),
            ("帆布", "Canvas"),
            ("无纺布", "Non-woven"),
            ("藤编", "Rattan"),
        ),
        (
            ("收纳盒", "Storage box"),
            ("置物架", "Shelf"),
            ("洗衣篮", "Laundry basket"),
            ("挂钩", "Hook"),
        ),
    ),
    (
        "50012010",
        ("箱包", "Bags"),
        (
            ("真皮", "Leather"),
            ("尼龙", "Nylon"),
            ("牛津布", "Oxford cloth"),
            ("帆布", "Canvas"),
        ),
        (
            ("双肩包", "Backpack"),
            ("手提包", "Handbag"),
            ("钱包", "Wallet"),
            ("行李箱", "Suitcase"),
            ("腰包", "Waist bag"),
        ),
    ),
    (
        "50008090",
        ("数码配件", "Digital accessories"),
        (
            ("铝合金", "Aluminium"),
            ("液态硅胶", "Liquid silicone"),
            ("编织", "Braided"),
            ("钢化玻璃", "Tempered glass"),
        ),
        (
            ("手机壳", "Phone case"),
            ("数据线", "Data cable"),
            ("手机支架", "Phone stand"),
            ("充电头", "Charger"),
        ),
    ),
    (
        "50014812",
        ("玩具", "Toys"),
        (
            ("毛绒", "Plush"),
            ("木质", "Wooden"),
            ("合金", "Alloy"),
            ("磁力", "Magnetic"),
        ),
        (
            ("积木", "Building blocks"),
            ("公仔", "Doll"),
            ("拼图", "Puzzle"),
            ("小汽车", "Toy car"),
        ),
    ),
)

COLOURS = ("黑色", "白色", "灰色", "红色", "蓝色", "绿色", "粉色", "米色")
SIZES = ("S", "M", "L", "XL", "2XL")

SHOP_PLACES = ("义乌", "杭州", "广州", "深圳", "东莞", "泉州", "温州", "宁波")
SHOP_NAMES = ("优选", "良品", "百货", "工厂店", "旗舰店", "贸易行", "制造")

# goods of the larger part of a catalogue: other words, so that searches for the first
# goods keep their hits
MORE_GOODS: tuple[tuple[str, Word, tuple[Word, ...], tuple[Word, ...]], ...] = (
    (
        "50010850",
        ("服装", "Clothing"),
        (
            ("羊绒", "Cashmere"),
            ("雪纺", "Chiffon"),
            ("灯芯绒", "Corduroy"),
            ("莫代尔", "Modal"),
        ),
        (
            ("风衣", "Trench coat"),
            ("马甲", "Vest"),
            ("半身裙", "Skirt"),
            ("围巾", "Scarf"),
            ("睡衣", "Pyjamas"),
        ),
    ),
    (
        "50016349",
        ("厨房用品", "Kitchenware"),
        (
            ("铸铁", "Cast iron"),
            ("玻璃", "Glass"),
            ("搪瓷", "Enamel"),
            ("麦秸秆", "Wheat straw"),
        ),
        (
            ("炒锅", "Wok"),
            ("茶壶", "Teapot"),
            ("调料罐", "Spice jar"),
            ("漏勺", "Skimmer"),
            ("蒸笼", "Steamer"),
        ),
    ),
    (
        "50012082",
        ("收纳用品", "Storage"),
        (
            ("亚克力", "Acrylic"),
            ("铁艺", "Wrought iron"),
            ("棉麻", "Cotton and linen"),
            ("牛皮纸", "Kraft paper"),
        ),
        (
            ("鞋柜", "Shoe cabinet"),
            ("衣架", "Clothes hanger"),
            ("抽屉柜", "Drawer unit"),
            ("储物罐", "Canister"),
        ),
    ),
    (
        "50012010",
        ("箱包", "Bags"),
        (("灯草", "Rush"), ("涤纶", "Polyester"), ("棉布", "Calico"), ("网纱", "Mesh")),
        (
            ("斜挎包", "Crossbody bag"),
            ("托特包", "Tote"),
            ("化妆包", "Cosmetic bag"),
            ("卡包", "Card case"),
        ),
    ),
    (
        "50008090",
        ("数码配件", "Digital accessories"),
        (
            ("碳纤维", "Carbon fibre"),
            ("磨砂", "Frosted"),
            ("磁吸", "Magnetic hold"),
            ("快充", "Fast charging"),
        ),
        (
            ("耳机套", "Earphone sleeve"),
            ("鼠标垫", "Mouse pad"),
            ("转接头", "Adapter"),
            ("移动电源", "Power bank"),
        ),
    ),
    (
        "50014812",
        ("玩具", "Toys"),
        (
            ("泡沫", "Foam"),
            ("橡胶", "Rubber"),
            ("遥控", "Remote control"),
            ("发条", "Clockwork"),
        ),
        (
            ("火车", "Train"),
            ("陀螺", "Spinning top"),
            ("飞盘", "Frisbee"),
            ("棋盘", "Board game"),
        ),
    ),
)
