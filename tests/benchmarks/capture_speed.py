"""How long a capture takes beside torchinfo's summary: 20 networks on the meta device, in one process.

    python tests/benchmarks/capture_speed.py [--rounds 5] [--names resnet50 timm:inception_v4 …]

A capture gives layers, edges, MACs and receptive fields; torchinfo's summary gives layers and multiplications without
edges. Both see the same module, in turn, A B A B. Prints medians, their ratio for each network, and the ratio of the
sums; then how much resident memory grows while VGG-16 and EfficientNet-B7 are shown. Needs `torchinfo`. Nothing is
asserted.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

NAMES = [
    "lenet5",
    "alexnet",
    "vgg16",
    "googlenet",
    "resnet50",
    "resnet152",
    "densenet121",
    "mobilenet_v2",
    "efficientnet_b0",
    "torchvision:densenet201",
    "torchvision:efficientnet_b7",
    "torchvision:inception_v3",
    "torchvision:mobilenet_v3_large",
    "torchvision:shufflenet_v2_x1_0",
    "torchvision:resnext50_32x4d",
    "timm:inception_v4",
    "timm:inception_resnet_v2",
    "timm:seresnet50",
    "timm:legacy_xception",
    "timm:convnext_tiny",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--names", nargs="+", default=NAMES)
    arguments = parser.parse_args()

    import psutil
    import torch
    import torchinfo

    from explorer.architectures.registry import build, entry
    from explorer.inspection.capture import capture
    from explorer.inspection.portrait import portray

    portray("torchvision:resnet18")  # what the first network imports
    before = psutil.Process().memory_info().rss
    shown = [portray("vgg16"), portray("torchvision:efficientnet_b7")]
    growth = psutil.Process().memory_info().rss - before
    print(f"resident memory grew by {growth / 1e6:.1f} MB over {len(shown)} large networks", flush=True)

    sums = [[0.0, 0.0] for _ in range(arguments.rounds)]
    for name in arguments.names:
        network = entry(name)
        module = build(network, device="meta").eval()
        shape = (1, *network.input)
        capture(module, [shape])  # what both import and cache is no part of either
        times: list[tuple[float, float]] = []
        for number in range(arguments.rounds):
            begun = time.perf_counter()
            capture(module, [shape])
            between = time.perf_counter()
            with torch.no_grad():
                torchinfo.summary(module, input_size=shape, device="meta", verbose=0)
            times.append((between - begun, time.perf_counter() - between))
            sums[number][0] += times[-1][0]
            sums[number][1] += times[-1][1]
        ours, theirs = (1000 * statistics.median(column) for column in zip(*times, strict=True))
        print(f"{name:32} {ours:7.1f} ms   torchinfo {theirs:7.1f} ms   ratio {ours / theirs:.2f}", flush=True)
    ours, theirs = (statistics.median(column) for column in zip(*sums, strict=True))
    ratio = statistics.median(ours / theirs for ours, theirs in sums)
    print(f"{'sum':32} {1000 * ours:7.1f} ms   torchinfo {1000 * theirs:7.1f} ms   ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
