"""Mathematics: every question of the starter bank that is made by code, kindergarten to grade 8."""

from collections.abc import Iterator

from domain.starter import algebra, counting, decimals, measures, parts, products, sums
from domain.starter.fact import Line, lines_of

TEMPLATES = [
    template for topic in (counting, sums, products, parts, decimals, algebra, measures) for template in topic.TEMPLATES
]


def mathematics() -> Iterator[Line]:
    """Yield the questions, always the same ones with the same ids."""
    asked: set[object] = set()
    for template in TEMPLATES:
        for line in lines_of(template):
            if line["question"] not in asked:
                asked.add(line["question"])
                yield line
