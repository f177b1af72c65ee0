"""Judging what a run draws: `evaluating` digits, `judging` any pictures, `mode_count` modes."""

from minigan.evaluation.evaluating import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
