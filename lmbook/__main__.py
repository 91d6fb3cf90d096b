"""``python -m lmbook``: the same as the command ``lmbook``."""

from lmbook.cli import main

main()
