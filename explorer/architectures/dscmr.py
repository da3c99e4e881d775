"""DSCMR, which puts images and texts into one space where they can be compared.

Zhen, Hu, Wang and Peng, "Deep Supervised Cross-Modal Retrieval", CVPR 2019.
"""

from __future__ import annotations

from typing import Annotated

from torch import Tensor, nn

from explorer.architectures.options import Classes, Range

TextFeatures = Annotated[int, Range(1, 65_536), "numbers that describe a text, as another network gives them"]
Hidden = Annotated[int, Range(1, 65_536), "units of the layer that each modality has for itself"]
Common = Annotated[int, Range(1, 65_536), "dimensions of the space that both modalities share"]


class DSCMR(nn.Module):
    """A dense layer for each modality, then one into the common space and a classifier that both share (figure 2)."""

    def __init__(self, image_features: int, text_features: int, hidden: int, common: int, num_classes: int) -> None:
        super().__init__()
        self.other_inputs = ((text_features,),)
        self.flatten = nn.Flatten()
        self.image = nn.Sequential(nn.Linear(image_features, hidden), nn.ReLU())
        self.text = nn.Sequential(nn.Linear(text_features, hidden), nn.ReLU())
        self.common = nn.Linear(hidden, common)
        self.classifier = nn.Linear(common, num_classes)

    def forward(self, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns both representations `(B, common)` and the class scores of both `(B, classes)`, images first.

        Args:
            image: `(B, features)`, or a map of one cell `(B, features, 1, 1)`.
            text: `(B, features)`.
        """
        images = self.common(self.image(self.flatten(image)))
        texts = self.common(self.text(text))
        return images, texts, self.classifier(images), self.classifier(texts)


def dscmr(
    text_features: TextFeatures = 300,
    hidden: Hidden = 2048,
    common: Common = 1024,
    num_classes: Classes = 20,
    *,
    input: tuple[int, int, int] = (4096, 1, 1),
) -> nn.Module:
    """Builds the two dense networks as the authors' code has them, on features that other networks gave.

    Args:
        text_features: 300 from the sentence CNN of the paper.
        hidden: 2048 in the authors' code.
        common: 1024 in the authors' code.
        num_classes: 20 in Pascal Sentence.
        input: image features as channels, one cell; 4096 from layer fc7 of VGG-19.
    """
    return DSCMR(input[0] * input[1] * input[2], text_features, hidden, common, num_classes)
