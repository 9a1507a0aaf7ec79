"""Reading DOT text back, for the tests of pictures; and labels that try to be more than text."""

import html
import re
from typing import NamedTuple

ATTRIBUTE = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|<.*?>(?=\s+\w+=|\]$)|[^\s\]]+)')


def texts(markup):
    """The pieces of text in an HTML-like label."""
    inner = markup[1:-1] if markup.startswith("<") else markup
    return [html.unescape(t) for t in re.split(r"<[^>]*>", inner) if t]


class Parsed(NamedTuple):
    """DOT text taken apart: attributes of nodes by name, edges, and the labels of the groups around each node."""

    nodes: dict
    edges: list
    groups: dict


def parse(picture):
    """Read DOT text, one statement a line as the graphviz package writes it."""
    found, open_groups = Parsed({}, [], {}), []
    for line in picture.source.splitlines():
        text = line.strip()
        if re.match(r"(di|sub)?graph .*{$|{$", text):
            open_groups.append("")
        elif text == "}":
            open_groups.pop()
        elif match := re.match(r"(\w+)(?: -> (\w+))? \[(.*)\]$", text):
            attributes = {k: v.strip('"') for k, v in ATTRIBUTE.findall(match[3] + "]")}
            tail, head, _ = match.groups()
            if head:
                found.edges.append((tail, head, attributes))
            elif tail == "graph":
                open_groups[-1] = "".join(texts(attributes.get("label", "")))
            elif tail not in {"node", "edge"}:
                assert tail not in found.nodes, f"{tail} is there twice"
                found.nodes[tail] = attributes
                found.groups[tail] = tuple(open_groups[1:])
    return found


def nodes(picture):
    """Texts, kind and δ's tone of every node that is no constant, by name."""
    kinds = {name: at["class"].split() for name, at in parse(picture).nodes.items()}
    return {
        name: (texts(at["label"]), kinds[name][0], kinds[name][-1])
        for name, at in parse(picture).nodes.items()
        if kinds[name][0] in {"leaf", "operation"}
    }


def constants(picture):
    """The numbers in the nodes that are constants."""
    return ["".join(texts(at["label"])) for at in parse(picture).nodes.values() if at["class"] == "constant"]


def edges(picture, kind):
    """The edges of a kind, each (operand's first text, consumer's first text, label, tone)."""
    first = {name: text for name, (text, _, _) in nodes(picture).items()}
    return [
        (tuple(first[tail][:2]), tuple(first[head][:2]), "".join(texts(at["label"])), " ".join(at["class"].split()[1:]))
        for tail, head, at in parse(picture).edges
        if at["class"].split()[0] == kind
    ]


HOSTILE = {
    "quotes": "a\"b'c",
    "graphviz escapes": r"\N \G \L \E \T \H \n \l \r",
    "backslash at the end": "\\",
    "backslash and quote": '\\"] evil [label="',
    "script": "</script><script>alert(1)",
    "tags": "<b>bold</b>",
    "comment": "<!-- -->",
    "brackets alone": "<>",
    "entities": "&amp; &lt;b&gt; &#65; &",
    "record": "{a|<p>b}",
    "dot": "]; evil -> node",
    "right to left": "שלום עולם",
    "cjk and emoji": "日本語 🎉",
    "percent": "%s %d {0}",
}
CLEANED = {
    "line\nbreak\ttab\r\nend": "line↵break tab↵end",
    "nul\0 esc\x1b[31m": "nul� esc�[31m",
    "half\ud800 \ufffe": "half� �",
    "over\u202eride": "over�ride",
    "c1\x9b": "c1�",
}
