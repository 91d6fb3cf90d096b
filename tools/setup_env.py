"""Make .venv ready for this book.  Every make target calls this first.

    python3.11 tools/setup_env.py

The syntax is old on purpose: a Python that is too old must live long enough to say
so in one line.  The work itself is in tools/environment.py.
"""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main():
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        sys.stderr.write(
            "error: Python %d.%d at %s cannot run this book, which needs "
            "3.11, 3.12 or 3.13\n" % (sys.version_info[:2] + (sys.executable,))
        )
        sys.exit(2)
    sys.path.insert(0, ROOT)
    from tools.environment import make_ready

    make_ready()


if __name__ == "__main__":
    main()
