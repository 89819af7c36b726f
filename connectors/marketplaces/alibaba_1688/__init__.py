"""1688: buying, browsing and after-sale; the half that bigMajor shares."""
