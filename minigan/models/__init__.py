"""One paper, one file. The five papers: `gan` (more follow)."""
