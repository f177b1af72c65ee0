"""One paper, one file. Start with `gan`; `model` says what a new model must define.

What they share: `settings` and `sizes`, then `model`. The papers: `gan`, `dcgan`, `cgan`, `wgan`,
`wgan_gp` and `pix2pix`; `catalog` finds each by its name. A class of your own: `identity` names it
in a run's config, `checking` says what it lacks, `rebuilding` makes it again from a config.
"""

from minigan.models.cgan import CGAN
from minigan.models.dcgan import DCGAN
from minigan.models.gan import GAN
from minigan.models.model import Model, Panel
from minigan.models.settings import setting
from minigan.models.wgan import WGAN
from minigan.models.wgan_gp import WGANGP

__all__ = ["CGAN", "DCGAN", "GAN", "Model", "Panel", "WGAN", "WGANGP", "setting"]
