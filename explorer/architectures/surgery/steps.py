"""The steps of surgery and the names of networks that they make; there before torch is."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace

from explorer.architectures.entry import Entry, Text
from explorer.errors import InputError


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of change."""

    name: str
    """As written after a plus sign."""
    module: str
    """Module of this package that does it."""
    short: str
    """What a title says of it."""
    title: Text
    help: Text
    adds: tuple[str, ...] = ()
    """Ideas, as on the cards, that it brings in."""
    removes: tuple[str, ...] = ()


STEPS = (
    Step(
        "se",
        "se",
        "SE",
        Text("Squeeze-and-excitation", "挤压与激励（SE）"),
        Text(
            "Each block weighs its channels by what two small dense layers say of their means.",
            "每个块用两层小的全连接层，根据各通道的均值给通道加权。",
        ),
        adds=("channel-attention",),
    ),
    Step(
        "cbam",
        "cbam",
        "CBAM",
        Text("CBAM attention", "CBAM 注意力"),
        Text(
            "Each block weighs its channels, then its places.",
            "每个块先给通道加权，再给空间位置加权。",
        ),
        adds=("channel-attention", "spatial-attention"),
    ),
    Step(
        "nonlocal",
        "nonlocal_block",
        "non-local",
        Text("Non-local blocks", "非局部块（Non-local）"),
        Text(
            "Between blocks, each place gathers from all places of its map: self-attention over space.",
            "在块与块之间，让每个位置从整张特征图汇集信息，即空间自注意力。",
        ),
        adds=("self-attention",),
    ),
    Step(
        "deformable",
        "deformable",
        "deformable",
        Text("Deformable convolution", "可变形卷积"),
        Text(
            "Spatial convolutions learn where to sample; version 2 also weighs the samples.",
            "空间卷积自己学习采样位置；第二版还学习每个采样点的权重。",
        ),
        adds=("deformable",),
    ),
    Step(
        "dilated",
        "dilated",
        "dilated",
        Text("Dilation instead of stride", "以空洞代替步长"),
        Text(
            "The last maps stay larger and each cell sees as far: late strides become dilation.",
            "后几级的步长改为空洞，特征图保持较大，而每个单元的视野不变。",
        ),
        adds=("dilated",),
    ),
    Step(
        "plain",
        "without_skips",
        "without skips",
        Text("Without skips", "去掉跳连"),
        Text(
            "Residual blocks become plain chains of their layers; projections on skips go.",
            "残差块变成各层依次相连的普通结构，跳连上的投影也一并去掉。",
        ),
        removes=("residual",),
    ),
    Step(
        "nobn",
        "without_batch_norm",
        "without batch norm",
        Text("Without batch normalisation", "去掉批归一化"),
        Text(
            "Batch normalisations become identities; convolutions in front of them get a bias.",
            "批归一化换成恒等映射，其前面的卷积补上偏置。",
        ),
        removes=("batch-normalisation",),
    ),
)


def split(name: str) -> tuple[str, tuple[str, ...]]:
    """Returns the network that a name starts from and the names of the steps: `("resnet50", ("se", "cbam"))`.

    A plus sign in the path of a user's file is part of the path.
    """
    start = name.rfind(".py:") + 1
    base, *steps = name[start:].split("+")
    return name[:start] + base, tuple(steps)


def base_of(name: str) -> str:
    """Returns the name of the network that a name starts from."""
    return split(name)[0]


def steps_of(name: str) -> tuple[Step, ...]:
    """Returns the steps that a name lists, in the order in which they are done.

    Raises:
        InputError: there is no such step, or it is named twice.
    """
    known = {step.name: step for step in STEPS}
    names = split(name)[1]
    for index, each in enumerate(names):
        if each not in known:
            near = difflib.get_close_matches(each.lower(), known, n=2, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
            raise InputError(f"{name}: nothing is called {each!r} that could be done to a network: {hint}")
        if each in names[:index]:
            raise InputError(f"{name}: {each} is named twice, and can be done once")
    return tuple(known[each] for each in names)


def with_step(name: str, step: str) -> str:
    """Returns the name of the same network after one more step, which is last; as it is where it has the step."""
    return name if step in split(name)[1] else f"{name}+{step}"


def without_step(name: str, step: str) -> str:
    """Returns the name of the same network without a step."""
    base, steps = split(name)
    return "+".join([base, *(each for each in steps if each != step)])


def changed(entry: Entry, name: str) -> Entry:
    """Returns the entry of a network after the steps that `name` lists, given that of the network itself.

    What was published of the network does not hold any more.

    Raises:
        InputError: a step is unknown or named twice.
    """
    steps = steps_of(name)
    note = Text(
        " ".join([f"{entry.title}, changed here.", *(step.help.en for step in steps)]),
        "".join([f"由 {entry.title} 改造而来。", *(step.help.zh for step in steps)]),
    )
    title = " + ".join([entry.title, *(step.short for step in steps)])
    ideas = list(entry.ideas)
    for step in steps:
        ideas = [idea for idea in ideas if idea not in step.removes]
        ideas += [idea for idea in step.adds if idea not in ideas]
    return replace(
        entry, name=name, title=title, note=note, ideas=tuple(ideas), published=(), stages=(), stages_from=""
    )
