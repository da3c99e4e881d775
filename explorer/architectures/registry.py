"""Every network the app knows by name: the explorer's own catalogue, torchvision's, timm's and a user's file.

The catalogue is read from the cards in `resources/cards/` alone, so that it is there before torch is. The builder of
the variant `resnet50` on the card `resnet.toml` is the function `resnet50` in `explorer/architectures/resnet.py`.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from explorer.architectures.cards import catalogue
from explorer.architectures.entry import Entry, Figure, Published, Source, Text
from explorer.architectures.options import Option, Scalar, check_options, options_of
from explorer.architectures.surgery import steps as surgery
from explorer.errors import InputError

if TYPE_CHECKING:
    from torch import nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def library_entries(source: Literal["torchvision", "timm"]) -> tuple[Entry, ...]:
    """Returns an entry for every network of torchvision or timm, without building any of them."""
    if source == "torchvision":
        from torchvision.models import list_models
    else:
        from timm import list_models
    return tuple(entry(f"{source}:{name}") for name in list_models())


def entry(name: str) -> Entry:
    """Returns the entry of that name; `NAME+STEP` is the network NAME after a step of surgery.

    Raises:
        InputError: nothing is called so; the text names close matches.
    """
    if surgery.base_of(name) != name:
        return surgery.changed(entry(surgery.base_of(name)), name)
    library, colon, rest = name.partition(":")
    if colon and library == "torchvision":
        return _torchvision_entry(rest)
    if colon and library == "timm":
        return _timm_entry(rest)
    if _is_file(name):
        return _file_entry(name)
    for known in catalogue():
        if known.name == name:
            return known
    raise InputError(_unknown(name, [known.name for known in catalogue()], ""))


def _unknown(name: str, names: list[str], prefix: str) -> str:
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    where = prefix.rstrip(":") or "the catalogue"
    hint = f"did you mean {' or '.join(prefix + match for match in near)}?" if near else "`list` shows what there is"
    return f"no network is called {name!r} in {where}: {hint}"


def _library_entry(source: Source, name: str, **fields: Any) -> Entry:
    values: dict[str, Any] = {"title": name, "task": "classification", "mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    return Entry(name=f"{source}:{name}", source=source, implementation=source, **(values | fields))


def _torchvision_entry(name: str) -> Entry:
    from torchvision import models

    if name not in models.list_models():
        raise InputError(_unknown(name, models.list_models(), "torchvision:"))
    enum = models.get_model_weights(name)
    # Weights tuned on larger images come after those that the network's own size is made for.
    weights = min(enum, key=_crop, default=None)
    module = models.get_model_builder(name).__module__
    task = next((kind for kind in ("segmentation", "detection", "video", "optical_flow") if kind in module), "")
    side = 520 if task in ("segmentation", "detection") else 224
    published: tuple[Published, ...] = ()
    if weights is not None:
        side = _crop(weights) or side
        params, operations = weights.meta.get("num_params"), weights.meta.get("_ops")
        if task == "optical_flow":  # counted at another size than ours
            operations = None
        published = (
            Published(
                f"torchvision, {enum.__name__}.{weights.name}",
                Figure(f"{params:,}") if params else None,
                Figure(f"{operations:.3f} G") if operations else None,
            ),
        )
    return _library_entry(
        "torchvision", name, task=task or "classification", input=(3, side, side), published=published
    )


def _crop(weights: Any) -> int:
    """Returns the side of the images that torchvision's weights are for; 0 where they take any size."""
    keywords = getattr(weights.transforms, "keywords", {})
    size = keywords.get("crop_size", keywords.get("resize_size", 0))
    return int(min(size)) if isinstance(size, list | tuple) else int(size)


def _timm_entry(name: str) -> Entry:
    import timm

    base = name.partition(".")[0]
    if not timm.is_model(base):
        raise InputError(_unknown(name, timm.list_models(), "timm:"))
    try:
        config = timm.get_pretrained_cfg(name)
    except RuntimeError:
        tags = ", ".join(timm.list_pretrained(base)) or "none"
        raise InputError(f"timm has no weights called {name!r}; those of {base} are {tags}") from None
    size = tuple(config.input_size) if config is not None else (3, 224, 224)
    statistics = {"mean": tuple(config.mean), "std": tuple(config.std)} if config is not None else {}
    return _library_entry("timm", name, input=size, **statistics)


def _is_file(name: str) -> bool:
    return re.search(r"\.py(:|$)", name) is not None


def _file_entry(name: str) -> Entry:
    path, _, attribute = name.rpartition(":") if not name.endswith(".py") else (name, "", "")
    if not attribute:
        raise InputError(f"{name}: say which class or function of the file, as {name.rstrip(':')}:NAME")
    if not Path(path).is_file():
        raise InputError(f"{path} is not a file: give the path of a Python file as path/to/file.py:NAME")
    found = _library_entry("file", name, title=attribute, input=(3, 224, 224), note=Text(f"From {path}"))
    return replace(found, name=name)


def _builder(entry: Entry) -> Callable[..., object]:
    """Returns the function or class that builds the entry's network."""
    if entry.source == "explorer":
        module = importlib.import_module(f"explorer.architectures.{entry.file}")
        builder: Callable[..., object] = getattr(module, entry.name)
        return builder
    if entry.source == "file":
        from explorer.architectures.user_file import load_builder

        return load_builder(entry.name)
    library, _, name = entry.name.partition(":")
    return importlib.import_module(f"explorer.architectures.{library}_adapter").builder(name)  # type: ignore[no-any-return]


def options(entry: Entry) -> tuple[Option, ...]:
    """Returns what the entry's builder lets one choose; imports torch.

    Raises:
        InputError: a user's file cannot be loaded.
    """
    if steps := surgery.steps_of(entry.name):
        from explorer.architectures.surgery.transform import options_of_steps

        return (*options(_before_surgery(entry)), *options_of_steps(steps))
    return options_of(_builder(entry))


def _before_surgery(changed: Entry) -> Entry:
    return entry(surgery.base_of(changed.name))


def build(entry: Entry, input: tuple[int, int, int] | None = None, device: str = "cpu", **given: Scalar) -> nn.Module:
    """Builds the network with fresh random weights.

    Args:
        entry: what to build.
        input: channels, height and width, for networks whose classifier depends on them; None for the canonical ones.
        device: where the parameters live; "meta" costs no memory.
        given: builder options; what is not given keeps its default.

    Raises:
        InputError: an option is unknown or out of range, or a user's file does not give a module.
    """
    import inspect

    import torch
    from torch import nn

    from explorer.architectures.undrawn import undrawn

    if surgery.steps_of(entry.name):
        return _operated(entry, input, device, check_options(options(entry), given, entry.name))
    builder = _builder(entry)
    arguments: dict[str, Any] = check_options(options_of(builder), given, entry.name)
    if "input" in inspect.signature(builder).parameters and entry.source == "explorer":
        arguments["input"] = input or entry.input
    try:
        with torch.device(device):
            module = builder(**arguments)
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # a user's code may end itself, which must not end the app
        if device == "meta" and entry.source != "explorer":
            with undrawn():
                return _to_meta(build(entry, input, "cpu", **given))  # some constructors compute with real numbers
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{entry.name} cannot be built with these options: {reason}") from error
    if not isinstance(module, nn.Module):
        raise InputError(f"{entry.name} gives something of type {type(module).__name__}, not a torch.nn.Module")
    return module if entry.source != "file" or device != "meta" else _to_meta(module)


def _operated(entry: Entry, input: tuple[int, int, int] | None, device: str, chosen: dict[str, Scalar]) -> nn.Module:
    """Builds the network that surgery starts from, and does the steps."""
    from explorer.architectures.surgery.transform import transform

    steps = surgery.steps_of(entry.name)
    own = {name: value for name, value in chosen.items() if name.partition(".")[0] not in {step.name for step in steps}}
    network = build(_before_surgery(entry), input, device, **own)
    return transform(network, steps, [input or entry.input, entry.input], chosen, entry.name, device)


def _to_meta(module: nn.Module) -> nn.Module:
    """Moves a network off its memory; by default torch would give a parameter that two layers share twice."""
    from torch import __future__ as conversion

    former = conversion.get_swap_module_params_on_conversion()
    conversion.set_swap_module_params_on_conversion(True)
    try:
        return module.to("meta")
    finally:
        conversion.set_swap_module_params_on_conversion(former)
