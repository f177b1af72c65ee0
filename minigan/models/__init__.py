"""One paper, one file. `catalog` finds them, `model` is what they are to the trainer."""
