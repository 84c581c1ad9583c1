#!/usr/bin/python3
"""Draws what bench_kernels measured: one PNG per kernel, size against the fraction of the limit.

    tests/bench/plot_kernels.py RESULTS.csv FOLDER      (script/bench kernels --plots FOLDER)
"""
import collections
import csv
import pathlib
import shutil
import subprocess
import sys

LIMITS = {"dense": "the FMA units' peak"}  # of the others: memcpy
# gnuplot has eight colours; the points and, after a round of colours, the dashes tell the rest apart.
POINTS = (7, 5, 9, 11, 13, 6, 4, 8, 10, 12)

STYLE = """set terminal pngcairo size 900,500 font 'sans,11' background '#ffffff'
set output '{output}'
set datafile separator ','
set title '{title}'
set ylabel 'fraction of {limit}'
set yrange [0:*]
set grid ytics lc rgb '#dddddd'
set key outside right
set border 3
set tics nomirror
"""


def quoted(text):
    return str(text).replace("'", "''")


def plot_name(row):
    return f"dense_{row['in_size']}x{row['out_size']}" if row["kernel"] == "dense" else (
        f"{row['kernel']}_{row['period']}")


def read(path):
    """{plot: {who: [(size, fraction)]}} of what has more than one size and a limit."""
    plots = collections.defaultdict(lambda: collections.defaultdict(list))
    for row in csv.DictReader(open(path, newline="")):
        dense = row["kernel"] == "dense"
        if row["period"] == "0" and not dense or not dense and row["rows"] != "1":
            continue
        if row["of_limit"] and row["role"] not in ("python", "limit"):
            plots[plot_name(row)][row["by"]].append((row["rows"] if dense else row["n"], row["of_limit"]))
    return plots


def script(name, lines, output):
    dense = name.startswith("dense")
    commands = STYLE.format(output=quoted(output), title=quoted(name.replace("_", " ")),
                            limit=quoted(LIMITS["dense"] if dense else "memcpy"))
    commands += "set xlabel 'rows'\nset logscale x 2\n" if dense else "set xlabel 'values'\nset logscale x\n"
    for i, points in enumerate(lines.values()):
        commands += f"$data{i} << EOD\n" + "".join(f"{x},{y}\n" for x, y in points) + "EOD\n"
    return commands + "plot " + ", ".join(
        f"$data{i} with linespoints lw 2 pt {POINTS[i % len(POINTS)]} dt {1 + i // 8} title '{quoted(by)}' noenhanced"
        for i, by in enumerate(lines)) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if not shutil.which("gnuplot"):
        print("plots: skipped, gnuplot is not installed (script/setup bench installs it)")
        return
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in read(sys.argv[1]).items():
        output = folder / f"{name}.png"
        subprocess.run(["gnuplot"], input=script(name, lines, output), text=True, check=True)
        print(f"plots: {output}")


if __name__ == "__main__":
    main()
