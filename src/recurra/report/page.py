"""One self-contained HTML page: sections, text, tables and figures, with nothing fetched from a network."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from itertools import repeat
from pathlib import Path

# Whatever the page may hold, a browser fetches nothing for it.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
# Strengths of colour behind texts and cells: 1 to this for what speaks for, -1 to less this for against.
SHADES = 4
# Columns of a tight table from which on their names stand upright.
ROOMY = 10


@dataclass(frozen=True, slots=True)
class Figure:
    """SVG markup as `recurra.report.figures` makes it, what can be seen on it, and what to say below it."""

    svg: str
    alt: str
    caption: str = ""


class Page:
    """A report that is written from top to bottom; every text is escaped, only figures are markup.

    `bundle` is the folder that commands on the page name.
    """

    def __init__(self, title: str, lead: str = "", bundle: str = "runs/model") -> None:
        self.title = title
        self.lead = lead
        self.bundle = bundle
        self._sections: list[str] = []
        self._body: list[str] = []
        self._figures = 0
        self._footer = ""

    def section(self, title: str) -> None:
        """Begin a section; it is listed at the head of the page."""
        self._sections.append(title)
        self._body.append(f'<h2 id="section-{len(self._sections)}">{escape(title)}</h2>')

    def heading(self, title: str) -> None:
        """Begin a part of a section."""
        self._body.append(f"<h3>{escape(title)}</h3>")

    def text(self, *paragraphs: str) -> None:
        """Add paragraphs."""
        self._body += [f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs]

    def note(self, *paragraphs: str, kind: str = "plain") -> None:
        """Add paragraphs that stand out; `kind` is "plain", "good" or "bad"."""
        inside = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
        self._body.append(f'<div class="note {escape(kind)}">{inside}</div>')

    def lines(self, lines: Sequence[str]) -> None:
        """Add a list, one item a line."""
        items = "".join(f"<li>{escape(line)}</li>" for line in lines)
        self._body.append(f'<ul class="lines">{items}</ul>')

    def code(self, text: str) -> None:
        """Add a command or a script; one click selects the whole of it."""
        self._body.append(f'<pre tabindex="0">{escape(text)}</pre>')

    def table(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        caption: str = "",
        best: Collection[tuple[int, int]] = (),
        ours: Collection[int] = (),
        words: bool = False,
        shades: Mapping[tuple[int, int], int] | None = None,
    ) -> None:
        """Add a table whose first column heads its rows.

        `best` holds (row, column) of cells to mark, `ours` rows to shade; `words` aligns left and wraps.
        A line break in a cell is kept. `shades` gives cells colour, of a strength from -SHADES to SHADES;
        such a table is set tight.
        """
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
        body = []
        for i, row in enumerate(rows):
            cells = [f'<th scope="row">{escape(row[0])}</th>']
            for j, cell in enumerate(row[1:], start=1):
                mark = ' class="best"' if (i, j) in best else _shade((shades or {}).get((i, j), 0))
                cells.append(f"<td{mark}>{escape(cell)}</td>")
            shade = ' class="ours"' if i in ours else ""
            body.append(f"<tr{shade}>{''.join(cells)}</tr>")
        kind = ' class="words"' if words else ""
        if shades is not None:
            kind = f' class="{"tight tall" if len(header) > ROOMY else "tight"}"'
        told = f"<caption><span>{escape(caption)}</span></caption>" if caption else ""
        self._body.append(
            f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption or header[0])}">'
            f"<table{kind}>{told}<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
        )

    def marked(
        self, title: str, pieces: Sequence[tuple[str, int]], note: str = "", hints: Sequence[str] = ()
    ) -> None:
        """Add a text in which pieces stand out: each with a strength from -SHADES to SHADES, 0 for plain.

        What speaks against is underlined too, so that colour is not needed to tell the two apart.
        `hints` are shown of marked pieces that are pointed at: one a piece, or none at all.
        """
        inside = "".join(
            _mark(piece, strength, hint)
            for (piece, strength), hint in zip(pieces, hints or repeat(""), strict=bool(hints))
        )
        told = f'<p class="told">{escape(note)}</p>' if note else ""
        self._body.append(
            f'<figure class="marked"><figcaption>{escape(title)}</figcaption><p>{inside}</p>{told}</figure>'
        )

    def figure(self, figure: Figure, *, wide: bool = False) -> None:
        """Add a figure; a `wide` one keeps its size on a narrow screen and can be moved sideways."""
        self._body.append(self._framed(figure, ' class="wide" tabindex="0"' if wide else ""))

    def gallery(self, figures: Sequence[Figure]) -> None:
        """Add figures side by side, as many in a row as there is room for."""
        inside = "".join(self._framed(figure) for figure in figures)
        self._body.append(f'<div class="gallery">{inside}</div>')

    def _framed(self, figure: Figure, attributes: str = "") -> str:
        self._figures += 1
        told = f"<figcaption>{escape(figure.caption)}</figcaption>" if figure.caption else ""
        return f"<figure{attributes}>{_inline(figure.svg, f'f{self._figures}', figure.alt)}{told}</figure>"

    def footer(self, text: str) -> None:
        """Set the last line of the page."""
        self._footer = f"<footer>{escape(text)}</footer>"

    def html(self) -> str:
        """The whole page."""
        style = files("recurra.report").joinpath("style.css").read_text(encoding="utf-8")
        links = "".join(
            f'<li><a href="#section-{i}">{escape(name)}</a></li>'
            for i, name in enumerate(self._sections, start=1)
        )
        nav = f'<nav aria-label="Sections"><ul>{links}</ul></nav>' if len(self._sections) > 1 else ""
        lead = f'<p class="lead">{escape(self.lead)}</p>' if self.lead else ""
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
            f"<title>{escape(self.title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
            f"<header><h1>{escape(self.title)}</h1>{lead}{nav}</header>\n<main>\n"
            + "\n".join(self._body)
            + f"\n</main>\n{self._footer}\n</body>\n</html>\n"
        )

    def write(self, path: str | Path) -> None:
        """Write the page as one UTF-8 file."""
        Path(path).write_text(self.html(), encoding="utf-8", newline="\n")


def _mark(piece: str, strength: int, hint: str) -> str:
    """A piece of a text with its colour."""
    if strength == 0:
        return escape(piece)
    told = f' title="{escape(hint)}"' if hint else ""
    return f"<mark{_shade(strength)}{told}>{escape(piece)}</mark>"


def _shade(strength: int) -> str:
    """The class of a colour behind a text; none for 0."""
    if strength == 0:
        return ""
    return f' class="{"for" if strength > 0 else "against"}{min(abs(strength), SHADES)}"'


def _inline(svg: str, prefix: str, alt: str) -> str:
    """Make an SVG document fit to stand inside a page: no prolog, ids of its own, a text for it."""
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", svg)
    # The page's style sheet says what matplotlib's, which would reach out of the figure, says.
    svg = re.sub(r"\s*<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)
