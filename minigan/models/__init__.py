"""One paper, one file. Start with `gan`; `model` says what a new model must define.

What they share: `settings` and `sizes`, then `model`. `catalog` finds every file of a model. Your
own class is named in a run by `identity`, checked by `checking`, made again by `rebuilding`.
"""

from minigan.models.cgan import CGAN
from minigan.models.dcgan import DCGAN
from minigan.models.gan import GAN
from minigan.models.model import Model, Panel
from minigan.models.settings import setting
from minigan.models.wgan import WGAN
from minigan.models.wgan_gp import WGANGP

__all__ = ["CGAN", "DCGAN", "GAN", "Model", "Panel", "WGAN", "WGANGP", "setting"]
