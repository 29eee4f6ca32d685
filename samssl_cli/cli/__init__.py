"""Words: each command parses its options, calls its stage, and prints the result."""

from samssl_cli.cli.app import app

__all__ = ["app"]
