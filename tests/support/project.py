"""Where things are in a clone."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ROOT / "minigan"
EXAMPLES = ROOT / "examples"
