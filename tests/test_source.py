from lmbook import activations
from lmbook.source import show_source


def test_shows_the_source_itself(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data: shown.append(data.data))
    show_source(activations.relu, activations.silu)
    assert shown[0].startswith("```python\n@_underflow_is_zero\ndef relu(")
    assert "\ndef silu(" in shown[0]
    assert shown[0].endswith("\n```")
