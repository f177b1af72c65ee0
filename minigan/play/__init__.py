"""A page to play with: a generator, and all that draws with it, in one HTML file."""
