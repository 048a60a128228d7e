import re
from html.parser import HTMLParser

import pytest

from recurra.report.page import Figure, Page

SVG = (
    '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">'
    '<metadata>who</metadata><defs><style type="text/css">*{}</style><path id="p" d="M0 0"/></defs>'
    '<use href="#p"/>'
    '<g clip-path="url(#p)"/></svg>'
)
EMPTY = {"meta", "br", "img", "path", "use", "rect"}


class Checker(HTMLParser):
    """Tags that do not match, ids that occur twice, and addresses that would be fetched."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.fetched = [], [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag not in EMPTY:
            self.open.append(tag)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        for name in ("src", "href", "xlink:href", "data", "action"):
            if name in attributes and not attributes[name].startswith("#"):
                self.fetched.append(attributes[name])

    def handle_endtag(self, tag):
        if tag not in EMPTY:
            assert self.open.pop() == tag


def check(html):
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    assert len(checker.ids) == len(set(checker.ids))
    assert checker.fetched == []
    assert not re.search(r"@import|url\((?!#)", html)
    return checker


def whole():
    page = Page("A <title>", "A lead & more")
    page.section("First")
    page.text("Text with <b>markup</b>.")
    page.note("Well done.", kind="good")
    page.lines(["one", "two"])
    page.code("recurra fit a.csv && echo '<done>'")
    page.table(("Method", "MAE"), [("ours", "1"), ("theirs", "2")], caption="Errors", best={(0, 1)}, ours={0})
    page.figure(Figure(SVG, 'a line that says "up"', "A caption"), wide=True)
    page.section("Second")
    page.heading("Part")
    page.gallery([Figure(SVG, "one"), Figure(SVG, "two")])
    page.footer("signature")
    return page


def test_a_page_is_sound_and_fetches_nothing():
    html = whole().html()
    checker = check(html)
    assert {"section-1", "section-2", "f1-p", "f2-p", "f3-p"} <= set(checker.ids)
    assert "default-src 'none'" in html
    assert '<html lang="en">' in html
    assert "prefers-color-scheme: dark" in html


def test_texts_are_escaped():
    html = whole().html()
    for text in ("<b>markup</b>", "A <title>", "'<done>'"):
        assert text not in html
    assert "Text with &lt;b&gt;markup&lt;/b&gt;." in html


def test_figures_say_what_can_be_seen_and_keep_their_references():
    html = whole().html()
    assert 'role="img" aria-label="a line that says &quot;up&quot;"' in html
    assert 'href="#f1-p"' in html
    assert "url(#f1-p)" in html
    assert "<metadata>" not in html
    assert '<style type="text/css">' not in html


def test_tables_have_headers_for_rows_and_columns_and_mark_the_best():
    html = whole().html()
    assert '<th scope="col">MAE</th>' in html
    assert '<tr class="ours"><th scope="row">ours</th><td class="best">1</td></tr>' in html
    assert "<caption><span>Errors</span></caption>" in html


def test_a_page_of_one_section_needs_no_list_of_sections():
    page = Page("Short")
    page.section("Only")
    assert "<nav" not in page.html()
    assert "<nav" in whole().html()


def test_the_same_page_is_written_byte_for_byte(tmp_path):
    for name in ("a.html", "b.html"):
        whole().write(tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize("word", ["é", "日", "🙂"])
def test_any_script_survives(tmp_path, word):
    page = Page(word)
    page.write(tmp_path / "a.html")
    assert word in (tmp_path / "a.html").read_text(encoding="utf-8")
