"""`python -m sandbox`: start a sandbox from the command line."""

from __future__ import annotations

import argparse

from sandbox.server import list_dialects, serve


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="A stand-in for the Xportcn service."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8790, help="0 takes any free port")
    parser.add_argument(
        "--seed",
        type=int,
        default=7,
        help="the same seed gives the same catalogue and ids",
    )
    parser.add_argument(
        "--state",
        metavar="FILE",
        help="keep everything in this file; without it, in memory",
    )
    parser.add_argument(
        "--dialect",
        metavar="NAME",
        action="append",
        default=[],
        help="deviate from the contract so",
    )
    parser.add_argument(
        "--callbacks",
        metavar="URL",
        default="",
        help="post the service's messages to this address",
    )
    parser.add_argument("--dialects", action="store_true", help="list the dialects")
    options = parser.parse_args()
    if options.dialects:
        list_dialects()
    else:
        serve(
            options.host,
            options.port,
            options.seed,
            options.state,
            options.dialect,
            options.callbacks,
        )


if __name__ == "__main__":
    main()
