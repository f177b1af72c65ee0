"""Judging what a run draws.

Read `judgement` first (what every test takes and returns), then the tests, `by_digit_test`,
`mode_count` (of stacked digits) and `by_picture_test`, and `evaluating`, which chooses one of them
for a run and writes down the result.
"""

from minigan.evaluation.evaluating import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
