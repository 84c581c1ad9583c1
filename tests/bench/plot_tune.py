#!/usr/bin/python3
"""Draws what `jitney-load tune --json FILE` measured: each setting's throughput against its latency, and the throughput
against the size of batches.

    tests/bench/plot_tune.py FILE FOLDER
"""
import collections
import json
import pathlib
import shutil
import subprocess
import sys

STYLE = """set terminal pngcairo size 900,500 font 'sans,11' background '#ffffff'
set output '{output}'
set title '{title}' noenhanced
set grid lc rgb '#dddddd'
set key outside right
set border 3
set tics nomirror
set ylabel 'requests a second'
set yrange [0:*]
"""
POINTS = (7, 5, 9, 11, 13, 6)


def group_of(one):
    patch = one["patch"]
    workers = patch["max_inflight_batches"]
    how = "target" if patch["target_p99"] else "linger" if patch["max_delay"] and workers > 1 else "no linger"
    return f"{how}, {workers} worker{'s' if workers > 1 else ''}"


def block(name, points):
    return f"${name} << EOD\n" + "".join(" ".join(f"{value:g}" for value in point) + "\n" for point in points) + "EOD\n"


def point_of(one):
    return one["limited_ms"], one["throughput"]


def latency_plot(told, measured, style):
    groups = collections.defaultdict(list)
    for one in measured:
        groups[group_of(one)].append(point_of(one))
    slo = told["slo"]
    latencies = [one["limited_ms"] for one in measured] + [slo["limit_ms"]]
    commands = style + (f"set xlabel '{slo['percentile']}, ms'\nset logscale x\n"
                        f"set xrange [{0.8 * min(latencies):g}:{1.2 * max(latencies):g}]\n")
    commands += f"set arrow from {slo['limit_ms']}, graph 0 to {slo['limit_ms']}, graph 1 nohead dt 2 lc rgb '#cc0000'\n"
    commands += "set xtics (1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 200, 500, 1000)\n"
    for i, points in enumerate(groups.values()):
        commands += block(f"group{i}", points)
    commands += block("chosen", [point_of(told["chosen"])]) + block("before", [point_of(told["before"])])
    lines = [f"$group{i} with points pt {POINTS[i % len(POINTS)]} title '{name}'" for i, name in enumerate(groups)]
    lines += ["$chosen with points pt 6 ps 3 lw 2 lc rgb '#008800' title 'chosen'",
              "$before with points pt 4 ps 3 lw 2 lc rgb '#cc0000' title 'before'"]
    return commands + "plot " + ", ".join(lines) + "\n"


def rows_plot(measured, style):
    groups = collections.defaultdict(list)
    for one in measured:
        patch = one["patch"]
        if not patch["max_delay"] and not patch["target_p99"]:
            groups[patch["max_inflight_batches"]].append((patch["max_batch_rows"], one["throughput"], one["batch_mean"]))
    commands = style + ("set xlabel 'max_batch_rows (no linger)' noenhanced\nset logscale x 2\nset y2label 'mean batch'\n"
                        "set y2tics\nset border 11\nset y2range [0:*]\n")
    lines = []
    for workers, points in sorted(groups.items()):
        commands += block(f"workers{workers}", sorted(points))
        name = f"{workers} worker{'s' if workers > 1 else ''}"
        color = f"lc {len(lines) // 2 + 1}"
        lines += [f"$workers{workers} using 1:2 with linespoints lw 2 pt 7 {color} title 'throughput, {name}'",
                  f"$workers{workers} using 1:3 axes x1y2 with linespoints dt 2 pt 6 {color} title 'mean batch, {name}'"]
    return commands + "plot " + ", ".join(lines) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if shutil.which("gnuplot") is None:
        sys.exit("gnuplot is not installed")
    told = json.loads(pathlib.Path(sys.argv[1]).read_text())
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    measured = [one for one in told["settings"] if one["samples"] and one["limited_ms"] is not None]
    title = f"{told['queue']}, {told['connections']} connections"
    for name, script in (("latency", latency_plot), ("rows", rows_plot)):
        output = folder / f"tune_{told['queue']}_{name}.png"
        style = STYLE.format(output=output, title=title)
        commands = script(told, measured, style) if script is latency_plot else script(measured, style)
        subprocess.run(["gnuplot"], input=commands, text=True, check=True)
        print(output)


if __name__ == "__main__":
    main()
