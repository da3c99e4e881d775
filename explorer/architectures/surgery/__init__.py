"""Surgery: blocks and layers added to, exchanged in or taken out of any network of the registry.

A name such as `resnet50+se` or `resnet50+deformable+cbam` means a network and the steps that change it. Each step is a
module of this package with one function `apply(network, plan, *, options…)`, whose signature tells the options.
"""
