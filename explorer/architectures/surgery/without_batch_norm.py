"""A network without its batch normalisations.

Ioffe and Szegedy, "Batch Normalization", ICML 2015, is what this undoes: a convolution in front of one gets the bias
that the normalisation had taken over.
"""

from __future__ import annotations

import torch
from torch import nn

from explorer.architectures.surgery.plan import Plan
from explorer.architectures.surgery.splice import own_modules, replace
from explorer.architectures.surgery.survey import survey
from explorer.errors import InputError


def apply(network: nn.Module, plan: Plan) -> nn.Module:
    """Puts an identity in the place of each batch normalisation; what it got from a layer without bias gets one.

    All other parameters keep their names.

    Raises:
        InputError: the network has no batch normalisation.
    """
    modules = dict(own_modules(network))
    norms = [path for path, module in modules.items() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        raise InputError("the network has no batch normalisation")
    found = survey(network, plan.input)
    paths = dict(network.named_modules())
    makers = {call.outputs[0]: call.path for call in found.calls if call.leaf and not call.function and call.outputs}
    entering = {call.path: call.inputs[0] for call in found.calls if not call.function and call.inputs}
    for path in norms:
        own_children = [child for child in modules[path].children() if not isinstance(child, nn.Identity)]
        if own_children:  # timm's normalisations with an activation inside
            replace(network, path, nn.Sequential(*own_children))
        else:
            replace(network, path, nn.Identity())
        maker = paths.get(makers.get(entering.get(path, -1), ""))
        if isinstance(maker, nn.modules.conv._ConvNd | nn.Linear) and maker.bias is None:
            outputs = maker.weight.shape[1] * maker.groups if getattr(maker, "transposed", False) else len(maker.weight)
            maker.bias = nn.Parameter(torch.zeros(outputs, dtype=maker.weight.dtype, device=maker.weight.device))
    return network
