"""How good samples are: the digit test, the picture test, and the field's statistics.

Read in this order. The field's statistics, one a file: `classifier`, `frechet`, `kernel`,
`coverage`, `two_sample`, most of them on `distances` between vectors, and `copies`. The digit test:
`judges` (networks that recognise digits), `reference` (what real digits get), `records` (the rows
of a result), `digits`. The test of any other pictures: `gist` (features), `thumbnails`,
`feature_distances`, `picture_classes`, `pictures`, and `translation` for pictures made from
pictures. Modes: `modes` for points in the plane, `stacked_modes` for stacked digits.
"""

from minigan.metrics.classifier import classifier_score, recognised
from minigan.metrics.copies import CopyTest, copy_test, nearest_training
from minigan.metrics.coverage import density_coverage, precision_recall
from minigan.metrics.digits import BOUNDS, DigitTest, digit_test
from minigan.metrics.frechet import Gaussian, frechet_distance, gaussian
from minigan.metrics.gist import gist
from minigan.metrics.judges import features, predictions, probabilities
from minigan.metrics.kernel import KernelDistance, kernel_distance, mmd_squared
from minigan.metrics.modes import ModeScores, curve_scores, mode_scores
from minigan.metrics.pictures import PictureTest, picture_test
from minigan.metrics.records import Real, Result, Row
from minigan.metrics.reference import Reference, class_spreads
from minigan.metrics.translation import translation_test
from minigan.metrics.two_sample import one_nearest_neighbour

__all__ = ["BOUNDS", "CopyTest", "DigitTest", "Gaussian", "KernelDistance", "ModeScores",
           "PictureTest", "Real", "Reference", "Result", "Row", "class_spreads", "classifier_score",
           "copy_test", "curve_scores", "density_coverage", "digit_test", "features",
           "frechet_distance", "gaussian", "gist", "kernel_distance", "mmd_squared", "mode_scores",
           "nearest_training", "one_nearest_neighbour", "picture_test", "precision_recall",
           "predictions", "probabilities", "recognised", "translation_test"]
