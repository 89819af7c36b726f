"""bigMajor, the KA twin of 1688: buying and browsing."""
