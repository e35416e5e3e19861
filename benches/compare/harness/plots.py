"""Bar charts as SVG, by hand: the document's figures need no library."""

from xml.sax.saxutils import escape

WIDTH = 720
LABELS = 110
FIGURES = 80
BAR = 22
STEP = 30
TOP = 56

OURS = "#2563eb"
OTHERS = "#94a3b8"
FLOOR = "#d6d3d1"
INK = "#1e293b"


def bars(title: str, unit: str, rows: list[tuple[str, float | None]]) -> str:
    """One bar a peer, its length by its figure; a peer without a figure says so."""
    height = TOP + STEP * len(rows) + 8
    most = max((value for _, value in rows if value), default=1.0)
    body = "\n".join(_bar(place, name, value, most) for place, (name, value) in enumerate(rows))
    # A background of its own, for readers whose page is dark.
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img" font-family="sans-serif" font-size="14" fill="{INK}">
<title>{escape(title)}</title>
<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>
<text x="12" y="24" font-size="16" font-weight="bold">{escape(title)}</text>
<text x="12" y="44" font-size="12">{escape(unit)}; less is better</text>
{body}
</svg>
"""


def _bar(place: int, name: str, value: float | None, most: float) -> str:
    y = TOP + STEP * place
    middle = y + BAR * 0.7
    label = f'<text x="{LABELS - 8}" y="{middle:.1f}" text-anchor="end">{escape(name)}</text>'
    if value is None:
        return f'{label}<text x="{LABELS}" y="{middle:.1f}" font-size="12">no figure</text>'
    length = max(1.0, (WIDTH - LABELS - FIGURES) * value / most)
    colour = {"proxy-now": OURS, "relay": FLOOR}.get(name, OTHERS)
    figure = f"{value:.0f}" if value >= 100 else f"{value:.1f}"
    return (
        f'{label}<rect x="{LABELS}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>'
        f'<text x="{LABELS + length + 6:.1f}" y="{middle:.1f}">{figure}</text>'
    )
