"""Writes what was measured for people to read: the generated part of docs/performance.md, and its figures."""

import time
from dataclasses import dataclass
from pathlib import Path

from .plots import bars

BEGIN = "<!-- written by benches/compare/document from here ... -->"
END = "<!-- ... to here; do not edit -->"


@dataclass(frozen=True)
class Goal:
    """What proxy-now is held to in a workload: a ratio to `base`, or without one the figure itself."""

    title: str
    workload: str
    base: str | None
    target: float
    stretch: float | None = None


BASE_NAMES = {
    "best": "the cheaper of nginx and HAProxy",
    "nginx": "nginx",
    "nginx64k": "nginx with 64 KiB buffers",
    "haproxy": "HAProxy",
    "relay": "the bare relay",
    "traefik": "Traefik",
    "caddy": "Caddy",
    None: "",
}

GOALS = (
    Goal("HTTP/1.1 keepalive, 128 B, 64 connections", "h1", "best", 0.92, 0.85),
    Goal("", "h1", "relay", 1.15),
    Goal("", "h1", "traefik", 0.28),
    Goal("", "h1", "caddy", 0.20),
    Goal("the same over TLS 1.3", "tls", "best", 0.82, 0.75),
    Goal("HTTP/2 over TLS, 16 x 16 streams, HTTP/1.1 upstream", "h2", "nginx", 0.75, 0.65),
    Goal("", "h2", "haproxy", 1.15, 1.0),
    Goal("64 KiB bodies", "64k", "nginx64k", 0.85, 0.80),
    Goal("64 KiB bodies over TLS", "tls64k", "best", 0.60, 0.50),
    Goal("1 MiB bodies", "1m", "best", 0.75, 0.65),
    Goal("1 MiB bodies over TLS", "tls1m", "best", 0.68, 0.62),
    Goal("full TLS handshake", "handshake", "nginx", 0.55, 0.50),
    Goal("p99 at a fixed rate", "latency", "nginx", 1.0),
    Goal("memory of an idle connection, KiB", "idle-plain", None, 3, 1),
    Goal("the same over TLS, KiB", "idle-tls", None, 16, 13),
)

# Of `cargo xtask bench gate`: how a figure follows from the counts, target.
COUNTED = (
    ("10,000 routes, last one, in instructions, to one route", lambda c: c["routes-10000"] / c["h1"], 1.02),
    ("five middlewares, in instructions beyond the bare route", lambda c: c["middlewares"] - c["h1"], 1500),
)

PLOTTED = {
    "h1": "µs of CPU per request",
    "tls": "µs of CPU per request",
    "h2": "µs of CPU per request",
    "64k": "µs of CPU per request",
    "tls64k": "µs of CPU per request",
    "1m": "µs of CPU per request",
    "tls1m": "µs of CPU per request",
    "handshake": "µs of CPU per connection",
    "resumed": "µs of CPU per connection and request",
    "routes-10000": "µs of CPU per request",
    "latency": "p99 in µs",
    "idle-plain": "KiB per connection",
    "idle-tls": "KiB per connection",
}


class Results:
    """One or more runs; of a workload that was measured twice, the later run counts."""

    def __init__(self, runs: list[dict]):
        self.runs = runs
        self.tables: dict[str, dict] = {}
        self.origin: dict[str, dict] = {}
        self.counts: dict[str, int] = {}
        for run in runs:
            self.counts |= run.get("instructions") or {}
            for name, table in run["workloads"].items():
                self.tables[name] = table
                self.origin[name] = run

    def figure(self, workload: str, peer: str) -> float | None:
        """None when there was none, or a request failed."""
        rows = self.tables.get(workload, {}).get("rows", [])
        return next((row["value"] for row in rows if row["peer"] == peer and not row["failed"]), None)

    def base(self, workload: str, name: str) -> float | None:
        if name != "best":
            return self.figure(workload, name)
        both = [self.figure(workload, peer) for peer in ("nginx", "haproxy")]
        return None if None in both else min(both)


def write(runs: list[dict], document: Path, images: Path):
    """Replaces what stands between the marks, and the figures."""
    results = Results(runs)
    images.mkdir(parents=True, exist_ok=True)
    for name, unit in PLOTTED.items():
        if name in results.tables:
            (images / f"{name}.svg").write_text(_plot(results, name, unit))
    before, _, rest = document.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    if not rest or not after:
        raise SystemExit(f"compare: {document.name} has no line {BEGIN!r} and after it {END!r}")
    prefix = images.name
    document.write_text(f"{before}{BEGIN}\n\n{_text(results, prefix)}\n{END}{after}")


def _plot(results: Results, name: str, unit: str) -> str:
    rows = [(row["peer"], results.figure(name, row["peer"])) for row in results.tables[name]["rows"]]
    return bars(results.tables[name]["title"], unit, rows)


def _text(results: Results, images: str) -> str:
    parts = ["### What was measured", _about(results), "### Against the targets", _goals(results)]
    for name, table in results.tables.items():
        parts.append(f"### {table['title'][0].upper()}{table['title'][1:]}")
        parts.append(_table(table))
        if name in PLOTTED:
            parts.append(f"![{table['title']}]({images}/{name}.svg)")
    return "\n\n".join(parts) + "\n"


def _about(results: Results) -> str:
    lines = ["| run | commit | date | rounds | load average before | workloads |", "|---|---|---|---|---|---|"]
    for number, run in enumerate(results.runs, 1):
        names = ", ".join(name for name, origin in results.origin.items() if origin is run)
        date = time.strftime("%Y-%m-%d", time.gmtime(run["started"]))
        options = run["options"]
        rounds = f"{options['rounds']} of {options['seconds']} s"
        load = f"{run['load_average']['start']:.2f}"
        lines.append(f"| {number} | `{run.get('commit') or 'not told'}` | {date} | {rounds} | {load} | {names} |")
    last = results.runs[-1]
    machine = last["machine"]
    peers = sorted({f"{name} {version}".strip() for run in results.runs for name, version in run["versions"].items()})
    missing = sorted({name for run in results.runs for name in run.get("missing", [])})
    facts = [
        "",
        f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}; {last['placement']}. {', '.join(peers)}.",
    ]
    if missing:
        facts.append(f"Not to be had on this machine, and so not measured: {', '.join(missing)}.")
    return "\n".join(lines + facts)


def _goals(results: Results) -> str:
    lines = ["| workload | to | measured | target | stretch | |", "|---|---|---|---|---|---|"]
    for goal in GOALS:
        ours = results.figure(goal.workload, "proxy-now")
        base = results.base(goal.workload, goal.base) if goal.base else 1.0
        measured = ours / base if ours is not None and base else None
        lines.append(_goal_line(goal.title, BASE_NAMES[goal.base], measured, goal.target, goal.stretch))
    for title, measure, target in COUNTED:
        try:
            measured = measure(results.counts)
        except KeyError:
            measured = None
        lines.append(_goal_line(title, "", measured, target, None))
    return "\n".join(lines)


def _goal_line(title: str, to: str, measured: float | None, target: float, stretch: float | None) -> str:
    shown = "-" if measured is None else _short(measured)
    cells = (title, to, shown, f"{target:g}", "" if stretch is None else f"{stretch:g}", _verdict(measured, target, stretch))
    return f"| {' | '.join(cells)} |"


def _verdict(measured: float | None, target: float, stretch: float | None) -> str:
    if measured is None:
        return "no figure"
    if stretch is not None and measured <= stretch:
        return "stretch reached"
    if measured <= target:
        return "reached"
    excess = (measured / target - 1) * 100
    return f"missed by {excess:.0f} %" if excess >= 1 else "missed by less than 1 %"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 10 else f"{value:.2f}"


def _table(table: dict) -> str:
    columns = list(dict.fromkeys(title for row in table["rows"] for title in row["cells"]))
    lines = [f"| | {' | '.join([*columns, 'failed', ''])} |", "|---" * (len(columns) + 3) + "|"]
    for row in table["rows"]:
        notes = (["failures: no figure"] if row["failed"] else []) + row["notes"]
        cells = [row["peer"], *(row["cells"].get(title, "-") for title in columns), str(row["failed"]), "; ".join(notes)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
