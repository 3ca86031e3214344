"""Prints results: a heading, then lines of a name and aligned figures."""

from __future__ import annotations


def print_table(heading: str, units: list[str], lines: list[tuple]) -> None:
    """Each line is a name and as many figures as there are units; None leaves a gap."""
    texts = [(name, [text(figure) for figure in figures]) for name, *figures in lines]
    width = max(len(heading), *(len(name) + 2 for name, _ in texts))
    widths = [max(len(unit), *(len(figures[column]) for _, figures in texts)) for column, unit in enumerate(units)]
    print_line(heading, units, width, widths)
    for name, figures in texts:
        print_line(f"  {name}", figures, width, widths)
    print(flush=True)


def print_line(name: str, figures: list[str], width: int, widths: list[int]) -> None:
    print(name.ljust(width) + "".join(f"   {figure:>{size}}" for figure, size in zip(figures, widths)))


def text(figure: object) -> str:
    if figure is None:
        return ""
    if isinstance(figure, float):
        # Three digits say all that a noisy clock knows.
        return f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"
    return str(figure)
