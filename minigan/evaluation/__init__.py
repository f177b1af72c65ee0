"""Judging what a run draws.

`evaluating` says which test is a run's and writes down what it found: `by_digit_test`, `mode_count`
of stacked digits, or `by_picture_test`. `judgement` has what they share.
"""

from minigan.evaluation.evaluating import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
