"""``python -m lmbook``: the same as the command ``lmbook``."""

from lmbook.cli.main import main

if __name__ == "__main__":
    main()
