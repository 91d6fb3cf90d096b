"""Build the book: ``make book``.

    python -m tools.site.build [ROOT]

Jupyter Book renders the notebooks as they are committed; any Sphinx warning is an
error.  Two things it does not do by itself: a committed error output builds without
complaint, so it is looked for first; and a second build forgets the warnings of the
first, so a failed build leaves no environment behind.
"""

import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import yaml

HERE = Path(__file__).resolve().parent
# When one of these changes, everything is rendered again.
SETTINGS = ("_config.yml", "_toc.yml", "requirements.txt")


class BuildError(Exception):
    """Why the book cannot be built, in a few lines."""


def error_outputs(root: Path) -> list[str]:
    """Every committed cell whose output is an error, as "file, cell n: error"."""
    found = []
    for path in sorted((root / "book").rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        for number, cell in enumerate(nbformat.read(path, 4).cells):
            for output in cell.get("outputs", []):
                if output.output_type == "error":
                    name = path.relative_to(root).as_posix()
                    found.append(f"{name}, cell {number}: {output.ename}")
    return found


def settings(root: Path) -> str:
    """Hash of what decides how pages are rendered, apart from the pages."""
    files = [root / name for name in SETTINGS] + sorted(HERE.glob("*.py"))
    files += sorted((root / "book" / "_static").glob("*.*"))
    digest = hashlib.sha256()
    for path in files:
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def forget(root: Path, everything: bool = False) -> None:
    """Drop the environment, so that the next build reads every page again."""
    built = root / "_build"
    for folder in [built / ".doctrees"] + [built / "html"] * everything:
        shutil.rmtree(folder, ignore_errors=True)


def build(root: Path) -> Path:
    """Render the book in ``root``; return its first page.  Raises ``BuildError``."""
    errors = error_outputs(root)
    if errors:
        raise BuildError("committed error outputs:\n  " + "\n  ".join(errors))
    stamp, wanted = root / "_build" / "settings.txt", settings(root)
    if not stamp.exists() or stamp.read_text() != wanted:
        forget(root, everything=True)
    command = [str(Path(sys.executable).parent / "jupyter-book"), "build", str(root)]
    done = subprocess.run(
        [*command, "-W", "--keep-going", "-n", "-q"],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        forget(root)
        raise BuildError(_complaints(done.stdout))
    stamp.write_text(wanted)
    first = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))["root"]
    return root / "_build" / "html" / f"{first}.html"


def _complaints(output: str) -> str:
    """The warnings and errors of a failed build, or all it said if there are none."""
    lines = [line for line in output.splitlines() if line.strip()]
    named = [
        line for line in lines if any(w in line for w in ("WARNING", "ERROR", "rror:"))
    ]
    return "\n".join(named or lines[-30:])


def main() -> None:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    start = time.perf_counter()
    try:
        build(root)
    except BuildError as error:
        print(f"error: the book was not built\n{error}", file=sys.stderr)
        sys.exit(2)
    seconds = time.perf_counter() - start
    print(f"Built in {seconds:.0f} s. Open: {root / '_build' / 'html' / 'index.html'}")


if __name__ == "__main__":
    main()
