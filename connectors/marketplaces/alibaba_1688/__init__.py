"""1688: buying, browsing, cart and after-sale; the half that bigMajor shares."""
