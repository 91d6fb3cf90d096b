"""The icon fonts, cut down to the icons that stand on a page.

They stand in the stylesheet itself: a page opened from a folder may not read a font
file in another folder.
"""

import base64
import io
import re
from pathlib import Path

from fontTools import subset

# One font in a stylesheet: the file that browsers take, and an older format.
SOURCE = re.compile(
    r'url\(([^)]*)\.woff2\)\s*format\("woff2"\)\s*,\s*url\(\1\.ttf\)\s*format\("truetype"\)'
)
# Icons have code points of their own, outside any script.
ICON = re.compile("[\ue000-\uf8ff]")


def embed(css: str, folder: Path) -> str:
    """``css`` with each font that is named relative to ``folder`` in its place.

    A font keeps the icons that ``css`` has a rule for.
    """
    wanted = {ord(icon) for icon in ICON.findall(css)}
    small = {path: _cut(folder / f"{path}.ttf", wanted) for path in SOURCE.findall(css)}
    return SOURCE.sub(lambda found: small[found[1]], css)


def _cut(path: Path, wanted: set[int]) -> str:
    """The address of a font that has only the wanted icons, itself in the address."""
    options = subset.Options(flavor="woff")
    font = subset.load_font(str(path), options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=wanted)
    cutter.subset(font)
    file = io.BytesIO()
    subset.save_font(font, file, options)
    data = base64.b64encode(file.getvalue()).decode()
    return f'url(data:font/woff;base64,{data}) format("woff")'
