"""A notebook without a kernel: what IPython's shell offers, and what its front end shows."""
from __future__ import annotations

import re
import sys
import types
from html.parser import HTMLParser

FORMATS = {"_repr_html_": "text/html", "_repr_png_": "image/png"}
EMPTY = {"img", "br"}  # elements that nothing closes


class Publisher:
    """As IPython's DisplayPublisher; broken: raise, as a front end that is gone."""

    def __init__(self):
        self.outputs = []   # of the running cell, in order: data by type
        self.by_id = {}
        self.messages = 0
        self.broken = False

    def publish(self, data, metadata=None, source=None, *, transient=None, update=False):
        if self.broken:
            raise OSError("the front end is gone")
        assert metadata in (None, {}) and all(isinstance(value, str) for value in data.values())
        self.messages += 1
        name = (transient or {}).get("display_id")
        if update:
            self.by_id[name].clear()  # a KeyError: nothing of that name was shown
            self.by_id[name].update(data)
            return
        output = dict(data)
        self.outputs.append(output)
        if name:
            assert name not in self.by_id
            self.by_id[name] = output


class Notebook:
    """A shell in a kernel, and its front end. kernel=None: IPython on a terminal."""

    def __init__(self, monkeypatch, kernel="a kernel"):
        self.shell = types.SimpleNamespace(kernel=kernel, execution_count=1,
                                           display_pub=Publisher())
        if kernel is None:
            del self.shell.kernel
        ipython = types.SimpleNamespace(get_ipython=lambda: self.shell,
                                        version_info=(9, 0, 0))  # which matplotlib looks at
        monkeypatch.setitem(sys.modules, "IPython", ipython)

    @property
    def front(self):
        return self.shell.display_pub

    def next_cell(self):
        """Begin another cell, which has no outputs yet."""
        self.shell.execution_count += 1
        self.front.outputs = []


def shown(value):
    """What a notebook shows of a cell's last expression, by type."""
    data = {"text/plain": repr(value)}
    for method, kind in FORMATS.items():
        found = getattr(value, method, lambda: None)()
        if found is not None:
            data[kind] = found
    return data


class _Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.found, self.words = [], [], []

    def handle_starttag(self, name, attributes):
        self.found.append((name, dict(attributes)))
        if name not in EMPTY:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, words):
        self.words.append(words)


def read(html):
    """The elements of well-formed HTML as (name, attributes), and its words.

    It needs nothing but itself: no script, no style sheet, no picture from elsewhere.
    """
    parser = _Elements()
    parser.feed(html)
    parser.close()
    assert not parser.open
    for name, attributes in parser.found:
        assert name in {"div", "img", "a"}, name
        assert not any(attribute.startswith("on") for attribute in attributes)
        if name == "img":
            assert re.match(r"data:image/(png|gif);base64,[\w+/]+=*$", attributes["src"])
            assert attributes["alt"]
    return parser.found, " ".join(parser.words)


def pictures(html):
    """The alternative words of the pictures in HTML."""
    return [attributes["alt"] for name, attributes in read(html)[0] if name == "img"]
