"""Small SVG plots that can be read on light and on dark pages: mid-tone colours, no background, the reader's own font."""

import math
from html import escape

GREY = "#808890"
WIDTH, HEIGHT, GAP = 300, 250, 56
TOP, BOTTOM, LEFT = 34, 52, 54


class Panel:
    """One diagram: lines by series over sizes, mostly on a logarithmic scale; or bars in groups."""

    def __init__(self, title, unit):
        self.title, self.unit, self.out = title, unit, []

    def text(self, x, y, text, anchor="middle", colour=GREY, size=11, more=""):
        self.out.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="{size}"{more}>{escape(text)}</text>'
        )

    def line(self, x1, y1, x2, y2, colour=GREY, width=1.0, more=""):
        self.out.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"{more}/>'
        )

    def scale(self, values, linear):
        """The y of a value, by powers of ten that hold all values, or from zero; draws the axis."""
        if linear:
            most = max(values)
            step = next(step for step in (10**power * times for power in range(-3, 9) for times in (1, 2, 5)) if step * 4.5 > most)
            marks = [step * count for count in range(math.ceil(most / step) + 1)]
            share = lambda value: value / marks[-1]  # noqa: E731
        else:
            low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
            high = max(high, low + 1)
            marks = [10**power for power in range(low, high + 1)]
            share = lambda value: (math.log10(value) - low) / (high - low)  # noqa: E731

        def y(value):
            return HEIGHT - BOTTOM - share(value) * (HEIGHT - TOP - BOTTOM)

        for mark in marks:
            self.line(LEFT, y(mark), WIDTH, y(mark), width=0.6, more=' opacity="0.4"')
            self.text(LEFT - 6, y(mark) + 4, f"{mark:,g}", "end")
        self.text(LEFT - 40, TOP - 20, f"{self.title}, {self.unit}", "start", size=12, more=' font-weight="bold"')
        return y

    def lines(self, labels, series, linear=False):
        """`series`: colour, and by label the least, the median and the largest value."""
        y = self.scale([value for _, points in series for triple in points.values() for value in triple], linear)
        step = (WIDTH - LEFT) / len(labels)
        at = {label: LEFT + step * (index + 0.5) for index, label in enumerate(labels)}
        for label, x in at.items():
            self.text(x, HEIGHT - BOTTOM + 18, label)
        for colour, points in series:
            there = [(at[label], points[label]) for label in labels if label in points]
            path = " ".join(f"{x:.1f},{y(middle):.1f}" for x, (_, middle, _) in there)
            self.out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
            for x, (least, middle, most) in there:
                self.line(x, y(least), x, y(most), colour, 1.5)
                self.out.append(f'<circle cx="{x:.1f}" cy="{y(middle):.1f}" r="3" fill="{colour}"/>')
        return self

    def bars(self, labels, series):
        """`series`: colour, and by label a value."""
        y = self.scale([value for _, bars in series for value in bars.values()], True)
        step = (WIDTH - LEFT) / len(labels)
        width = step * 0.8 / len(series)
        for index, label in enumerate(labels):
            left = LEFT + step * (index + 0.1)
            for place, (colour, bars) in enumerate(series):
                if label in bars:
                    top = y(bars[label])
                    self.out.append(
                        f'<rect x="{left + place * width:.1f}" y="{top:.1f}" width="{width - 1:.1f}" '
                        f'height="{HEIGHT - BOTTOM - top:.1f}" fill="{colour}"/>'
                    )
            for row, words in enumerate(label.split("\n")):
                self.text(left + step * 0.4, HEIGHT - BOTTOM + 15 + 13 * row, words, size=10)
        return self


def figure(panels, legend):
    """Panels side by side, with a legend of colours and names below."""
    width = len(panels) * (WIDTH + GAP)
    rows = [legend[index : index + 3] for index in range(0, len(legend), 3)]
    height = HEIGHT + 18 * len(rows) + 6
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="system-ui, sans-serif" role="img">'
    ]
    for index, panel in enumerate(panels):
        out += [f'<g transform="translate({index * (WIDTH + GAP)} 0)">', *panel.out, "</g>"]
    names = Panel("", "")
    for row, entries in enumerate(rows):
        for place, (colour, name) in enumerate(entries):
            x, y = LEFT + place * (width - LEFT) / 3, HEIGHT + 8 + 18 * row
            names.line(x, y - 4, x + 22, y - 4, colour, 4)
            names.text(x + 28, y, name, "start", size=12)
    return "\n".join([*out, *names.out, "</svg>"]) + "\n"
