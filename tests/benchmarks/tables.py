"""How results are printed: plain text, aligned, fit for a terminal and for a file."""

from collections.abc import Sequence

from tests.benchmarks.figures import median


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """A table with *title* above and *notes* below; the first column is text, the others are numbers."""
    widths = [max(len(line[index]) for line in (columns, *rows)) for index in range(len(columns))]
    lines = [title, "-" * max(len(title), sum(widths) + 2 * (len(widths) - 1))]
    for line in (columns, *rows):
        first, *others = zip(line, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join((*lines, *notes)) + "\n"


def times(ratios: Sequence[float]) -> str:
    """The median of ratios, and how far they reach: ``2.61x (2.4-2.8)``."""
    if not ratios:
        return ""
    if len(ratios) == 1:
        return f"{ratios[0]:.2f}x"
    return f"{median(ratios):.2f}x ({min(ratios):.1f}-{max(ratios):.1f})"


def once(ratios: Sequence[float]) -> str:
    """The median of ratios alone."""
    return f"{median(ratios):.2f}x" if ratios else ""


def spread(values: Sequence[float]) -> str:
    return f"{min(values):,.0f}-{max(values):,.0f}"


def mebibytes(size: float) -> str:
    return f"{size / (1 << 20):.0f}"


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in pairs)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in pairs) + "\n"
