"""One file a dialect; `known` lists them."""
