"""One paper, one file. The five papers; `catalog` finds these and every other file of a model."""

from minigan.models.cgan import CGAN
from minigan.models.dcgan import DCGAN
from minigan.models.gan import GAN
from minigan.models.model import Model
from minigan.models.wgan import WGAN
from minigan.models.wgan_gp import WGANGP

__all__ = ["CGAN", "DCGAN", "GAN", "Model", "WGAN", "WGANGP"]
