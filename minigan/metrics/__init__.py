"""How good samples are: the digit test, the picture test, and the field's statistics.

Read in this order: `digits` (the test, which uses all of the rest), `judges` (who recognises),
`coverage`, `copies`, then what is there to be compared: `frechet`, `kernel`, `two_sample`,
`classifier`. `reference` holds what real digits get. `pictures` is the test of any other pictures,
in the features of `gist`. `modes` is apart: points in the plane.
"""

from minigan.metrics.classifier import classifier_score, recognised
from minigan.metrics.copies import CopyTest, copy_test, nearest_training
from minigan.metrics.coverage import density_coverage, precision_recall
from minigan.metrics.digits import BOUNDS, DigitTest, Row, digit_test
from minigan.metrics.frechet import Gaussian, frechet_distance, gaussian
from minigan.metrics.gist import gist
from minigan.metrics.judges import features, predictions, probabilities
from minigan.metrics.kernel import KernelDistance, kernel_distance, mmd_squared
from minigan.metrics.modes import ModeScores, curve_scores, mode_scores
from minigan.metrics.pictures import PictureTest, Real, picture_test
from minigan.metrics.reference import Reference, class_spreads
from minigan.metrics.two_sample import one_nearest_neighbour

__all__ = ["BOUNDS", "CopyTest", "DigitTest", "Gaussian", "KernelDistance",
           "ModeScores", "PictureTest", "Real", "Reference", "Row", "class_spreads",
           "classifier_score", "copy_test", "curve_scores", "density_coverage", "digit_test",
           "features", "frechet_distance", "gaussian", "gist", "kernel_distance", "mmd_squared",
           "mode_scores", "nearest_training", "one_nearest_neighbour", "picture_test",
           "precision_recall", "predictions", "probabilities", "recognised"]
