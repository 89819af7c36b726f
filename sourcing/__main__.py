"""`python -m sourcing` is the command `sourcing`."""

from sourcing.command import main

main()
