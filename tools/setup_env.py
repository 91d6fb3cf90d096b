"""Make .venv hold exactly what requirements.txt locks, and lmbook itself, editable.

Run by the system's Python, so it uses the standard library only, and its syntax
is old on purpose: a Python that is too old must live long enough to say so.
A stamp inside .venv holds the hash of what was installed; while it matches,
this returns at once.  Each failure is one line and exit code 2.
"""

import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(
    VENV, *(["Scripts", "python.exe"] if os.name == "nt" else ["bin", "python"])
)
STAMP = os.path.join(VENV, "lmbook-ready")
OLDEST, NEWEST = (3, 11), (3, 13)


def fail(message):
    sys.stderr.write("error: %s\n" % message)
    sys.exit(2)


def fingerprint():
    """Hash of all that decides what is in .venv, where it lies included."""
    digest = hashlib.sha256(("%s %s" % (ROOT, sys.version)).encode("utf-8"))
    for name in ("requirements.txt", "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def pip(*arguments):
    command = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check"]
    return subprocess.call(command + ["--quiet"] + list(arguments), cwd=ROOT)


def main():
    version = "%d.%d" % sys.version_info[:2]
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        fail(
            "Python %s at %s cannot run this book; it needs 3.11, 3.12 or 3.13 "
            "(say which one with: make PYTHON=python3.11 book)"
            % (version, sys.executable)
        )
    wanted = fingerprint()
    if os.path.exists(STAMP) and os.path.exists(PYTHON):
        with open(STAMP) as file:
            if file.read() == wanted:
                return
    print("Setting up .venv with Python %s (once; a few minutes) ..." % version)
    shutil.rmtree(VENV, ignore_errors=True)
    if subprocess.call([sys.executable, "-m", "venv", VENV]):
        fail("cannot create .venv (on Debian and Ubuntu: apt install python3-venv)")
    if pip("-r", "requirements.txt"):
        fail(
            "pip could not install the packages of requirements.txt; the lines above "
            "say why (no network, or no room, most often). Run the same command again"
        )
    if pip("--no-deps", "--no-build-isolation", "-e", "."):
        fail("pip could not install lmbook itself into .venv; see the lines above")
    with open(STAMP, "w") as file:
        file.write(wanted)


if __name__ == "__main__":
    main()
