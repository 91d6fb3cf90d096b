"""A label names a heading, or a box under one, and reaches to the next section."""

from pathlib import Path

import pytest

from tools.labels import in_page, places

PAGE = """\
(sec-9-1)=
# 9.1 一节

开头。

(errata-E01)=
(errata-E02)=
:::{admonition} 勘误 E01、E02
:::

```
(not-a-label)=
# not a heading
```

(sec-9-1-1)=
(sec-also)=
## 9.1.1 小节

尾。
"""


@pytest.fixture
def found():
    return dict(in_page(Path("page.md"), PAGE))


def test_labels_and_their_headings(found):
    boxes = ["errata-E01", "errata-E02"]
    assert list(found) == ["sec-9-1", *boxes, "sec-9-1-1", "sec-also"]
    assert found["sec-9-1"].title == "9.1 一节"
    assert found["errata-E02"].title == "9.1 一节"
    assert found["sec-also"].title == found["sec-9-1-1"].title == "9.1.1 小节"
    assert found["sec-9-1"].names_heading
    assert not found["errata-E01"].names_heading


def test_a_section_ends_where_the_next_begins(found):
    assert "开头" in found["sec-9-1"].text
    assert "not-a-label" in found["sec-9-1"].text
    assert "尾" not in found["sec-9-1"].text
    assert "尾" in found["sec-9-1-1"].text
    assert "尾" in found["sec-also"].text
    assert "9.1.1" not in found["errata-E01"].text


def test_a_label_that_stands_twice_is_named(tmp_path):
    paths = [tmp_path / "a.md", tmp_path / "b.md"]
    for path in paths:
        path.write_text("(sec-9-1)=\n# 题\n", "utf-8")
    with pytest.raises(ValueError, match=r"\(sec-9-1\)= stands on .*b\.md and .*a\.md"):
        places(paths)


def test_the_books_labels_are_unique():
    assert places()["sec-4-1"].title == "4.1 神经网络中的激活函数"
