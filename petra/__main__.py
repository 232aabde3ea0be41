"""``python -m petra``."""

from petra.cli import main

main()
