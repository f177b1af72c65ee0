"""Pages in a headless Chromium: a script in a copy of the page does things and says what it saw."""

import html
import json
import re
import shutil
import subprocess

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next((path for path in map(shutil.which, NAMES) if path), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-extensions", "--disable-dev-shm-usage", "--virtual-time-budget=60000")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason=f"none of {', '.join(NAMES)} is on the PATH")

# What scripts can use: they are the body of an async function that returns what was seen.
TOOLS = """
Element.prototype.setPointerCapture = () => {};          // there is no real pointer to capture

async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

function idle() {
  return until(() => running.size === 0);
}

function found() {
  return until(() => !element("adopt").disabled);
}

function pixels(canvas) {
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return Array.from(data.filter((_, i) => i % 4 === 0));
}

// Points are shares of the element's width and height.
function drag(id, points) {
  const box = element(id).getBoundingClientRect();
  const types = points.map((_, i) => (i ? "pointermove" : "pointerdown"));
  [...points, points[points.length - 1]].forEach(([x, y], i) => {
    const at = {clientX: box.left + x * box.width, clientY: box.top + y * box.height};
    const type = types[i] || "pointerup";
    element(id).dispatchEvent(new PointerEvent(type, {...at, pointerId: 1, bubbles: true}));
  });
}

function press(key, more = {}) {
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key, ...more, bubbles: true}));
}
"""
WRAPPED = """<script>
%s
(async () => {
%s
})().catch((error) => ({error: String(error)})).then((seen) => {
  window.parent.postMessage(JSON.stringify(seen), "*");
});
</script></body>"""

# A window cannot be as narrow as a phone; a frame in it can.
AROUND = """<!doctype html>
<iframe src="page.html" style="width: %dpx; height: %dpx; border: 0"></iframe>
<pre id="seen"></pre>
<script>
window.onmessage = (message) => { document.getElementById("seen").textContent = message.data; };
</script>"""


def all_seen(folder, **scripts):
    """What scripts saw, by name, in browsers side by side.

    scripts: (page, script, width and height) by name.
    """
    opened = {name: _opened(folder / name, *script) for name, script in scripts.items()}
    outputs = {}
    for name, process in opened.items():
        try:
            outputs[name], _ = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            outputs[name], _ = process.communicate()
    return {name: _seen(name, output.decode()) for name, output in outputs.items()}


def _opened(folder, text, script, size=(1280, 1000)):
    """A browser with a page and the script in it, which prints what becomes of the page."""
    folder.mkdir()
    scripted = text.replace("</body>", WRAPPED % (TOOLS, script))
    (folder / "page.html").write_text(scripted, "utf-8")
    around = folder / "around.html"
    around.write_text(AROUND % size)
    return subprocess.Popen(
        [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--window-size=1400,1100",
         "--dump-dom", around.as_uri()],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _seen(name, output):
    """What a script returned, from the page that it was in."""
    found = re.search(r'<pre id="seen">(.+?)</pre>', output, re.S)
    assert found, f"the script {name!r} did not come to its end"
    seen = json.loads(html.unescape(found[1]))
    assert "error" not in seen, f"{name}: {seen['error']}"
    return seen
