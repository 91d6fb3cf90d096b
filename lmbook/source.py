"""Show lmbook's own source in a notebook, so that text and code cannot drift."""

import inspect
import textwrap
from collections.abc import Callable


def show_source(*objects: type | Callable) -> None:
    """Display the source of functions or classes as one highlighted block."""
    from IPython.display import Markdown, display

    code = "\n\n".join(textwrap.dedent(inspect.getsource(o)).rstrip() for o in objects)
    display(Markdown(f"```python\n{code}\n```"))
