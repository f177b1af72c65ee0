"""Directions in latent space: what changes if one walks along them, and what stays.

Read in this order: `attributes` (what is measured in a picture), `supervised` (InterFaceGAN),
`first_layer` and `unsupervised` (GANSpace and SeFa), `effects` (what moves), `record` (what is
kept), `finding` (all of it together), `table` and `picture` (to look at).
"""
