"""What the page says: of handwritten digits, of other classes, of pictures without labels."""

from __future__ import annotations

from minigan.data.places import last_part
from minigan.runs.trained import Loaded


def words(trained: Loaded, names: list[str], strokes: bool, latent: int) -> dict[str, str]:
    """The page's words by placeholder, not escaped.

    names: of the classes, [] for a model without labels. strokes: whether the pictures are strokes,
    such as a pen makes. latent: numbers in a latent.
    """
    digits = bool(names) and strokes and all(name.isdecimal() for name in names)
    parts = _of_digits() if digits else _of_pictures(strokes)
    parts["class"] = "digit" if digits else "class"
    parts["lead"] = _lead(names, digits, latent)
    parts["facts"] = _facts(trained)
    return parts


def _of_digits() -> dict[str, str]:
    return {
        "title": "Digits that nobody wrote",
        "things": "hands",
        "fresh": "Four new hands",
        "yours": "Your own hand",
        "invitation": "Draw a digit. The page looks for the latent whose picture is nearest to "
                      "yours, its twin, and writes all digits with that latent: as you might "
                      "write them.",
        "field": "A field to draw a digit in; without a pointer, open a picture of one",
        "hint": "Draw a digit here, or drop or paste a picture of one.",
        "others": "All digits in the hand of the twin",
    }


def _of_pictures(strokes: bool) -> dict[str, str]:
    draw = "Draw something, or open" if strokes else "Open"
    return {
        "title": "Pictures that nobody made",
        "things": "pictures",
        "fresh": "Four new pictures",
        "yours": "A picture of your own",
        "invitation": f"{draw}, paste or drop a picture. The page looks for the latent whose "
                      f"picture is nearest to yours, its twin; what the generator has never "
                      f"learned, the twin cannot show.",
        "field": "Your picture",
        "hint": "Draw here, or drop or paste a picture." if strokes else
                "Drop or paste a picture here.",
        "others": "The twin's latent in all classes",
    }


def _lead(names: list[str], digits: bool, latent: int) -> str:
    """The three sentences that explain the page."""
    told = ""
    meaning = "into a picture."
    if names:
        told = " and a label"
        meaning = "into a picture: the label says of what, the latent which one."
    if digits:
        meaning = "into a picture: the label says which digit, the latent in whose hand."
    return (f"A generator turns {latent} random numbers, called a latent,{told} {meaning} Latents "
            f"that are close to each other give pictures that look alike, so what you drag here "
            f"changes a picture little by little. All of it is computed in this page, by the "
            f"network inside it; nothing is loaded, and nothing is sent.")


def _facts(trained: Loaded) -> str:
    """One or two sentences about the generator."""
    model = trained.model
    config = trained.config
    count = sum(parameter.size for parameter in model.drawing_network().parameters())
    return (f"The generator is minigan's {config.model} {config.preset}, trained on "
            f"{last_part(config.data)} for {config['step']:,} steps, with {count:,} weights.")
