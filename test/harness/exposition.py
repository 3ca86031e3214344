"""A checker of what the official parsers let pass: rules that hold for a whole exposition, in both formats."""

from __future__ import annotations

import math
import re

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*?)\})? (\S+)(?: # \{(.*)\} (\S+) (\S+))?', re.DOTALL)
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
SUFFIXES = {
    "text": {"counter": [""], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]},
    "openmetrics": {
        "counter": ["_total", "_created"],
        "gauge": [""],
        "histogram": ["_bucket", "_sum", "_count", "_created"],
    },
}


def labels_of(text: str | None) -> tuple[tuple[str, str], ...]:
    """The labels of a sample, with nothing between them but commas."""
    if text is None:
        return ()
    labels, position = [], 0
    while position < len(text):
        label = LABEL.match(text, position)
        assert label, f"no label at {text[position:position + 60]!r}"
        labels.append((label[1], label[2]))
        position = label.end()
        assert position == len(text) or text[position] == ",", text[position:]
        position += 1
    names = [name for name, _ in labels]
    assert names == sorted(set(names)) or names[-1] == "le", names
    return tuple(labels)


def number(text: str) -> float:
    return float(text.replace("Inf", "inf"))


def check(text: str, format: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Checks an exposition line by line, and returns its samples."""
    assert text.endswith("\n")
    lines = text[:-1].split("\n")
    if format == "openmetrics":
        assert lines.pop() == "# EOF"
    family = kind = None
    heads, seen = {}, set()
    samples: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for line in lines:
        if line.startswith("# "):
            _, word, name, *rest = line.split(" ", 3)
            if name != family:
                assert name not in seen, f"{name} comes in two parts"
                seen.add(name)
                family, kind, heads = name, None, {}
            assert word in ("HELP", "TYPE", "UNIT") and word not in heads, line
            assert format == "openmetrics" or word != "UNIT", line
            heads[word] = rest
            if word == "TYPE":
                kind = rest[0]
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample and kind, line
        name, labels = sample[1], labels_of(sample[2])
        assert name in [family + suffix for suffix in SUFFIXES[format][kind]], (name, family, kind)
        assert (name, labels) not in samples, f"{name} {labels} comes twice"
        samples[name, labels] = number(sample[3])
        if sample[4] is not None:
            assert format == "openmetrics" and name.endswith(("_bucket", "_total")), line
            assert sum(len(name) + len(value) for name, value in labels_of(sample[4])) <= 128, line
            number(sample[5]), number(sample[6])
        if kind == "counter":
            assert samples[name, labels] >= 0, line
    check_histograms(samples)
    return samples


def check_histograms(samples) -> None:
    """Buckets rise to +Inf, which is the count."""
    buckets: dict[tuple[str, tuple], list[tuple[float, float]]] = {}
    for (name, labels), value in samples.items():
        if name.endswith("_bucket"):
            others = tuple(label for label in labels if label[0] != "le")
            buckets.setdefault((name.removesuffix("_bucket"), others), []).append((number(dict(labels)["le"]), value))
    for (name, labels), found in buckets.items():
        bounds, counts = [bound for bound, _ in found], [count for _, count in found]
        assert bounds == sorted(set(bounds)) and bounds[-1] == math.inf, (name, bounds)
        assert counts == sorted(counts), (name, counts)
        # OpenMetrics has neither sum nor count where the sum could fall.
        assert samples.get((name + "_count", labels), counts[-1]) == counts[-1], name
        assert ((name + "_count", labels) in samples) == ((name + "_sum", labels) in samples), name
