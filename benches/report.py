"""Makes the tables and plots of docs/performance.md from what was measured:

    benches/report.py RESULTS.json PERFORMANCE.md

The text between `<!-- NAME -->` and `<!-- /NAME -->` is replaced, and plots are written beside the document. Beside it
is what benches/throughput.rs has measured, too, if it was run: PERFORMANCE-throughput.json.
"""

import datetime
import json
import re
import statistics
import sys
from pathlib import Path

from plot import Panel, figure

MIB = 1 << 20
# Name in tables, colour.
TOOLS = {
    "function": ("**this function**", "#e8590c"),
    "loop": ("bare loop in Rust, its best of the grid", "#1c7ed6"),
    "loop_own": ("bare loop in Rust, with this function's parts", "#74c0fc"),
    "loop_python": ("bare loop in Python, 16 × 64 MiB", "#15aabf"),
    "managed_copy": ("boto3's `copy`, no header", "#868e96"),
    "stream": ("streamed by boto3", "#2f9e44"),
    "smart_open": ("streamed by smart_open", "#ae3ec9"),
    "s3_concat": ("s3-concat, no header", "#ae3ec9"),
    "merge": ("the usual way: downloaded and uploaded", "#2f9e44"),
}
SERVERS = {"seaweedfs": "SeaweedFS", "garage": "Garage", "ministack": "ministack"}


def named(size):
    return f"{size >> 30} GiB" if size >= 1 << 30 else f"{size // MIB} MiB"


def median(values):
    return statistics.median(values)


def seconds(value):
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def through(tool):
    return (tool["sent"] + tool["received"]) / MIB


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def ratios(results):
    """This function beside the best bare loop, and beside the one that makes the same parts."""
    sizes = sorted({one["size"] for server in results["servers"].values() for one in server["objects"]})
    rows = []
    for server, measured in results["servers"].items():
        by_size = {one["size"]: one["tools"] for one in measured["objects"]}
        for what, loops in (
            ("the fastest loop of all that were tried", ("loop", "loop_python")),
            ("a loop with the same parts", ("loop_own",)),
        ):
            row = [f"{SERVERS[server]}, beside {what}"]
            for size in sizes:
                tools = by_size.get(size, {})
                beside = [median(tools[name]["seconds"]) for name in loops if name in tools]
                row.append(f"{median(tools['function']['seconds']) / min(beside):.2f}" if beside else "")
            rows.append(row)
    return table(["", *map(named, sizes)], rows)


def times(measured):
    """Seconds of all tools on one server."""
    objects = measured["objects"]
    rows = []
    for name in [name for name in TOOLS if any(name in one["tools"] for one in objects)]:
        row = [TOOLS[name][0]]
        for one in objects:
            tool = one["tools"].get(name)
            row.append(seconds(median(tool["seconds"])) if tool else "")
        rows.append(row)
    return table(["seconds", *(named(one["size"]) for one in objects)], rows)


def proved(measured):
    """This function with a proof, beside a loop that has the server sum up as much."""
    rows = []
    for one in measured["proved"]:
        own, loop = (one["tools"][name] for name in ("function", "loop"))
        both = [median(tool["seconds"]) for tool in (own, loop)]
        requests = [sum(tool["operations"].values()) for tool in (own, loop)]
        held_back = [seconds(tool["seconds_held_back"]) for tool in (own, loop)]
        rows.append([
            named(one["size"]), *map(seconds, both), f"{both[0] / both[1]:.2f}", "{}, {}".format(*requests),
            "{}, {}".format(*held_back),
        ])
    head = ["object", "seconds of this function", "of the bare loop", "ratio", "requests of both", "seconds of both, answers held back"]
    return table(head, rows)


def loops(measured):
    """The part sizes and numbers in flight with which the loop was fastest."""
    found = [f"{named(one['size'])}: {one['loop']['in_flight']} × {one['loop']['part_size'] / MIB:.0f} MiB" for one in measured["objects"]]
    return "The bare loop was fastest with parts in flight of: " + "; ".join(found) + "."


def takes(measured):
    """What the tools take of the machine."""
    rows = []
    for one in measured["objects"]:
        for name, tool in one["tools"].items():
            is_counted = "operations" in tool
            rows.append([
                named(one["size"]), TOOLS[name][0], f"{through(tool):,.1f}" if is_counted else "",
                sum(tool["operations"].values()) if is_counted else "",
                f"{median(tool['cpu']):.2f}", f"{max(tool['peak']):.1f}",
                seconds(tool["seconds_held_back"]) if is_counted else "",
            ])
    return table(["object", "", "MiB through", "requests", "CPU seconds", "peak MiB", "seconds, answers held back"], rows)


def merges(measured):
    rows = []
    for one in measured["merges"]:
        for name, tool in one["tools"].items():
            rows.append([
                one["what"], TOOLS[name][0] + (", **rows in another order**" if tool.get("wrong") else ""),
                seconds(median(tool["seconds"])), f"{through(tool):,.1f}", f"{sum(tool['operations'].values()):,}",
                f"{median(tool['cpu']):.2f}", f"{max(tool['peak']):.1f}",
            ])
    return table(["slices", "", "seconds", "MiB through", "requests", "CPU seconds", "peak MiB"], rows)


def starts(measured):
    rows = []
    for name, one in measured["of"].items():
        rows.append([
            name, f"{one['bytes'] / 1e6:.1f} MB", milliseconds(one["start"]), milliseconds(one["first_event"]),
            f"{median(one['cpu']) * 1000:.0f} ms",
        ])
    head = ["", "binary", "start to the first `/next`", "start to the end of a first small event", "CPU of it"]
    return f"Measured on {measured['date']}, medians of {len(one['start'])}.\n\n{table(head, rows)}"


def memory_sizes(measured):
    rows = []
    for one in measured["of"]:
        cold, warm = one["dollars_a_million"]
        rows.append([
            f"{one['mb']:,} MB", f"{one['peak']:.0f} MiB", milliseconds(one["cold"]), milliseconds(one["warm"]),
            f"{cold:.2f} $", f"{warm:.2f} $",
        ])
    head = ["memory size", "peak", "first event, with the start", "later events", "a million first events", "a million later ones"]
    return f"Measured on {measured['date']}.\n\n{table(head, rows)}"


def throughput(measured):
    """Many small objects through one process."""
    def rate(one):
        return measured["count"] / one["seconds"]

    rows = []
    for one in measured["of"]:
        own, loop = one["function"], one["loop"]
        rows.append([
            one["what"], f"{rate(own):,.0f}", f"{rate(loop):,.0f}", f"{rate(own) / rate(loop):.2f}",
            f"{own['cpu']:.2f}, {loop['cpu']:.2f}", f"{own['peak']:.1f}, {loop['peak']:.1f}",
        ])
    head = ["", "objects a second", "bare loop", "ratio", "CPU seconds of both", "peak MiB of both"]
    date = datetime.date.fromtimestamp(measured["time"])
    return (
        f"Measured on {date} on SeaweedFS: {measured['count']:,} objects of {measured['size'] >> 10} KiB, "
        f"medians of {measured['rounds']}.\n\n{table(head, rows)}"
    )


def milliseconds(values):
    return f"{median(values) * 1000:,.1f} ms"


def most_counted(servers):
    """The server on which most was counted: a name, and what was measured."""
    def counted(one):
        return sum("operations" in tool for measured in one[1]["objects"] for tool in measured["tools"].values())

    return max(servers.items(), key=counted)


def blocks(results):
    servers = results["servers"]
    machine, versions = results["machine"], results["versions"]
    dates = sorted({measured["date"] for measured in servers.values()})
    tools = [tool for measured in servers.values() for one in [*measured["objects"], *measured["merges"]] for tool in one["tools"].values()]
    rounds = sorted({len(tool["seconds"]) for tool in tools})
    yield "machine", (
        f"Measured on {' and '.join(dates)}: {machine['cores']} cores ({machine['cpu']}), {machine['memory_gib']} GiB of memory, "
        f"Linux {machine['linux']}; " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ". "
        f"Medians of {' or '.join(map(str, reversed(rounds)))}: of fewer where a round took long."
    )
    yield "ratios", ratios(results)
    yield "times", "![Seconds by size, on each server](performance-seconds.svg)\n\n" + "\n\n".join(
        f"### {SERVERS[server]}\n\n{times(measured)}\n\n{loops(measured)}" for server, measured in servers.items()
    )
    for server, measured in servers.items():
        if measured.get("proved"):
            yield "proved", f"On {SERVERS[server]}.\n\n{proved(measured)}"
    server, measured = most_counted(servers)
    picture = "![Bytes through the process, CPU seconds and peak memory by size](performance-takes.svg)"
    yield "takes", f"{picture}\n\nMeasured on {SERVERS[server]}.\n\n{takes(measured)}"
    merging = {server: measured for server, measured in servers.items() if measured["merges"]}
    if merging:
        picture = "![Seconds, bytes through the process and peak memory of merges](performance-merges.svg)\n\n"
        yield "merges", picture + "\n\n".join(f"On {SERVERS[server]}.\n\n{merges(measured)}" for server, measured in merging.items())
    if "throughput" in results:
        yield "throughput", throughput(results["throughput"])
    for name, of in (("start", starts), ("builds", starts), ("memory_sizes", memory_sizes)):
        if results.get(name, {}).get("of"):
            yield name, of(results[name])


def plots(results):
    servers = results["servers"]
    names = [name for name in TOOLS if any(name in one["tools"] for one in next(iter(servers.values()))["objects"])]
    legend = [(TOOLS[name][1], TOOLS[name][0].replace("*", "").replace("`", "")) for name in names]

    def by_size(measured, of, field="seconds"):
        labels = [named(one["size"]) for one in measured["objects"]]
        series = []
        for name in reversed(names):
            points = {
                named(one["size"]): of(one["tools"][name])
                for one in measured["objects"] if field in one["tools"].get(name, {})
            }
            if points:
                series.append((TOOLS[name][1], points))
        return labels, series

    def spread(values):
        return min(values), median(values), max(values)

    yield "seconds", figure(
        [Panel(SERVERS[server], "seconds").lines(*by_size(measured, lambda tool: spread(tool["seconds"])))
         for server, measured in servers.items()], legend,
    )
    _, first = most_counted(servers)
    yield "takes", figure([
        Panel("Through the process", "MiB").lines(*by_size(first, lambda tool: (through(tool),) * 3, "sent")),
        Panel("CPU", "seconds").lines(*by_size(first, lambda tool: spread(tool["cpu"]))),
        Panel("Peak memory", "MiB").lines(*by_size(first, lambda tool: spread(tool["peak"])), linear=True),
    ], legend)
    first = next((measured for measured in servers.values() if measured["merges"]), None)
    if first is None:
        return
    merging = [name for name in TOOLS if any(name in one["tools"] for one in first["merges"])]

    def bars(of):
        def short(what):
            return what.replace(" slices", "").replace(" between", "\nbetween").replace(" of ", "\nof ", 1)

        labels = [short(one["what"]) for one in first["merges"]]
        return labels, [(TOOLS[name][1], {short(one["what"]): of(one["tools"][name]) for one in first["merges"]}) for name in merging]

    yield "merges", figure([
        Panel("Time", "seconds").bars(*bars(lambda tool: median(tool["seconds"]))),
        Panel("Through the process", "MiB").bars(*bars(through)),
        Panel("Peak memory", "MiB").bars(*bars(lambda tool: max(tool["peak"]))),
    ], [(TOOLS[name][1], TOOLS[name][0].replace("*", "")) for name in merging])


def filled(text, name, block):
    """The document with a block filled in."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        sys.exit(f"the document has no place for {name}")
    return pattern.sub(lambda found: f"{found[1]}\n{block}\n\n{found[2]}", text)


def main():
    results, document = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    results["servers"] = {name: results["servers"][name] for name in SERVERS if name in results.get("servers", {})}
    many = document.with_name(f"{document.stem}-throughput.json")
    if many.exists():
        results["throughput"] = json.loads(many.read_text())
    if results["servers"]:
        text = document.read_text()
        for name, block in blocks(results):
            text = filled(text, name, block)
        document.write_text(text)
        for name, plot in plots(results):
            document.with_name(f"performance-{name}.svg").write_text(plot)


main()
