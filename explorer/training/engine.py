"""What takes a step of training: network, optimiser and images on their device, and nothing that is written to disk."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from explorer.data.image_set import FileSet, ImageSet
from explorer.data.preprocessing import normalise
from explorer.tasks import classification
from explorer.training.augmentation import augment, erase
from explorer.training.average import WeightAverage
from explorer.training.batch_norm import normalise_over_processes
from explorer.training.device import choose_device
from explorer.training.divergence import find_origin
from explorer.training.errors import TrainingError
from explorer.training.evaluation import VIEWS, ByItself, Score, enlarged, evaluate
from explorer.training.events import Evaluating
from explorer.training.mixing import Targets, mix
from explorer.training.network import build_network
from explorer.training.optimiser import build_optimiser
from explorer.training.processes import ALONE, Processes
from explorer.training.recipe import Recipe
from explorer.training.sharding import assemble, load_network, load_optimiser
from explorer.training.supply import Material, Supply
from explorer.training.transfer import layers_up_to, load_initial

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch import Tensor, nn


class Engine:
    """Takes steps and evaluates. All chance comes from the recipe's seed and the number of the step or the epoch."""

    def __init__(
        self, recipe: Recipe, material: Material, device: str, fresh: bool = True, processes: Processes = ALONE
    ) -> None:
        """Prepares training by a recipe.

        Args:
            recipe: what to train and how.
            material: the recipe's images.
            device: "cpu", "cuda" or "auto".
            fresh: begin with the recipe's weights; not needed where a state is loaded afterwards.
            processes: those that take each step together, and have a share of its batch.

        Raises:
            InputError: network, weights or device cannot be used, or do not fit the dataset.
        """
        import torch

        self.recipe, self.material, self.processes = recipe, material, processes
        self.device = choose_device(device, recipe.precision)
        processes.check(recipe, self.device)
        self.fabric: Fabric = processes.fabric(self.device)
        classes = len(material.info.classes)
        self.network, self.options = build_network(recipe, classes)
        self.params = sum(parameter.numel() for parameter in self.network.parameters())
        self.preprocessing = material.preprocessing
        if fresh and (normalisation := load_initial(recipe, self.network, classes)) is not None:
            self.preprocessing = replace(self.preprocessing, mean=normalisation[0], std=normalisation[1])
        if not processes.alone:
            self.network = normalise_over_processes(self.network, self.device.kind)
        self._setup()
        self.train = self.supply(recipe.batch_size)
        self.steps_per_epoch = len(self.train)
        self.generator = torch.Generator(self.fabric.device)
        self._norm: Tensor | None = None

    def supply(self, batch_size: int) -> Supply:
        """Returns the training images in batches of another size, in the order of the recipe's seed."""
        source = enlarged(self.preprocessing) if self.recipe.augmentation == "alexnet" else self.preprocessing
        return Supply(self.material.train, source, batch_size, self.fabric.device, self.recipe.seed, self.processes)

    def held_out(self, images: ImageSet | FileSet) -> Supply:
        """Returns other images as `evaluate` takes them."""
        source = enlarged(self.preprocessing) if self.recipe.evaluation == "ten-crop" else self.preprocessing
        size = max(self.recipe.batch_size // self.recipe.accumulate, 128)
        return Supply(images, source, size, self.fabric.device, processes=self.processes)

    def _setup(self) -> None:
        """Puts the network on the device, with its optimiser and, where wanted, its average."""
        import torch

        recipe, network = self.recipe, self.network
        # Layers that are never trained are none of the optimiser's business.
        self._kept = [layers_up_to(network, name) for name in (recipe.freeze, recipe.refreeze)]
        trainable = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
        self._trainable = [network.get_parameter(name) for name in trainable]
        self._second = False
        """Whether the second phase has begun."""
        self._freeze(self._kept[1 if recipe.unfreeze else 0])
        if recipe.channels_last:
            network.to(memory_format=torch.channels_last)
        if recipe.compiled:
            network.compile()
        self.module = self.fabric.setup_module(network)
        self._trainable = [network.get_parameter(name) for name in trainable]  # others where they have been divided
        self._set_optimiser(recipe)
        self.average: WeightAverage | None = None
        self.judged: nn.Module = self.module
        """What is evaluated: the network, or the average of its weights."""
        if recipe.average:
            self.average = WeightAverage(network, recipe.average)
        if not self.processes.alone and not self.processes.sharded:  # each process judges images by itself
            self.judged = ByItself(self.average.network if self.average else network, self.fabric)
        elif self.average:
            self.judged = self.fabric.setup_module(self.average.network)

    def _set_optimiser(self, recipe: Recipe) -> None:
        fused = self.device.precision != "16-mixed" and not self.processes.sharded
        self.optimiser: Any = self.fabric.setup_optimizers(build_optimiser(recipe, self.network, fused))

    def begin_epoch(self, epoch: int) -> None:
        """Makes the network ready for the steps of an epoch, from 0: some layers may be frozen in it."""
        recipe = self.recipe
        self.module.train()
        if 0 < recipe.unfreeze <= epoch + 1:
            self._begin_second_phase()
        frozen = self._kept[1 if self._second else 0]
        self._freeze(frozen)
        for layer in frozen:
            if not any(layer.children()):
                layer.training = False  # its statistics are kept as well

    def _begin_second_phase(self) -> None:
        """Replaces the optimiser where the recipe has another one for the second phase."""
        recipe = self.recipe
        if not self._second and recipe.unfreeze_optimiser != "same":
            self._freeze(self._kept[1])
            self._set_optimiser(replace(recipe, optimiser=recipe.unfreeze_optimiser))
        self._second = True

    def _freeze(self, layers: list[nn.Module]) -> None:
        for parameter in self._trainable:
            parameter.requires_grad_(True)
        for layer in layers:
            for parameter in layer.parameters(recurse=False):
                parameter.requires_grad_(False)

    def step(self, pixels: Tensor, labels: Tensor, number: int) -> tuple[Tensor, Tensor]:
        """Takes a step.

        Args:
            pixels: of the training images, uint8 (B, C, H, W), as `supply` gives them.
            labels: (B,).
            number: of the step in the run, from 0.

        Returns:
            its loss and how many images were told right, of the batch of all processes, both still on the device.

        Raises:
            TrainingError: the loss is no number; where that costs nothing to know, before the weights are spoilt.
        """
        processes = self.processes
        size = len(labels) if processes.alone else self.train.size(number % self.steps_per_epoch)
        # Batch normalisation cannot use a single image, and no process may be without one.
        parts = min(self.recipe.accumulate, max(size // max(processes.count, 2), 1))
        return self._take(pixels, labels, number, parts, processes.weight(size))

    def _take(
        self, pixels: Tensor, labels: Tensor, number: int, parts: int, weight: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Takes a step in so many parts, of a batch in which this process's share counts so much."""
        import torch

        self._seed(number)
        images, targets = self._prepare(pixels, labels)
        self.optimiser.zero_grad()
        count = len(targets.labels)
        scale = weight * self.processes.count  # gradients are averaged over the processes
        if parts == 1:
            outputs = self.module(images)
            loss = self._loss(outputs, targets, number)
            self.fabric.backward(loss if self.processes.alone else loss * scale)
            loss, right = loss.detach(), classification.count_correct(outputs, targets.labels)
        else:
            loss = torch.zeros((), device=self.fabric.device)
            right = torch.zeros((), dtype=torch.int64, device=self.fabric.device)
            for part in torch.arange(count).tensor_split(parts):
                piece = slice(int(part[0]), int(part[-1]) + 1)
                with self._gradients_kept(until=piece.stop == count):
                    outputs = self.module(images[piece])
                    own = targets.select(piece)
                    share = self._loss(outputs, own, number) * (len(part) / count)
                    self.fabric.backward(share if self.processes.alone else share * scale)
                loss += share.detach()
                right += classification.count_correct(outputs, own.labels)
        if not self.processes.alone:
            told = self.processes.sum(torch.stack([loss.double() * weight, right.double() * (weight > 0)]))
            loss, right = told[0].to(loss.dtype), told[1].to(right.dtype)
        # Reading a number off a GPU waits for it; there it is read when a report is due.
        if self.device.kind == "cpu" and not math.isfinite(float(loss)):
            raise self.diverged(float(loss), number, images.tensor_split(parts))
        if self.recipe.clip_norm:
            self._norm = self.fabric.clip_gradients(
                self.module, self.optimiser, max_norm=self.recipe.clip_norm, error_if_nonfinite=False
            )
        elif self.device.precision == "16-mixed":
            self.fabric.strategy.precision.unscale_gradients(self.optimiser.optimizer)
        self.optimiser.step()
        if self.average is not None:
            self.average.update(number)
        return loss, right

    def _gradients_kept(self, until: bool) -> AbstractContextManager[None]:
        """Has gradients added up in each process, and not yet averaged over them, until the last part of a batch."""
        if self.processes.alone:
            return nullcontext()
        return self.fabric.no_backward_sync(self.module, enabled=not until)

    def try_step(self, batch_size: int) -> None:
        """Takes a step with so many images at once, after which the network is of no more use for the run."""
        import torch

        self.begin_epoch(self.recipe.epochs - 1)  # where all is trained that ever is
        supply = self.supply(batch_size)
        try:
            pixels, labels = next(supply.batches(0))
        finally:
            supply.close()
        repeated = torch.arange(batch_size, device=labels.device) % len(labels)
        self._take(pixels[repeated], labels[repeated], 0, parts=1)

    def _prepare(self, pixels: Tensor, labels: Tensor) -> tuple[Tensor, Targets]:
        """Returns this process's images of a batch, changed at random and normalised, and what they are of."""
        import torch

        recipe = self.recipe
        size = self.preprocessing.input[1:]
        images = augment(pixels, recipe.augmentation, self.generator, size, self.material.colours, recipe.shift)
        images = erase(normalise(images, self.preprocessing), recipe.erasing, self.generator)
        images, targets = mix(images, labels, recipe.mixup, recipe.cutmix, self.generator)
        if not self.train.shared_out:
            share = self.processes.share(len(labels))
            images, targets = images[share], targets.select(share)
        if recipe.channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        return images, targets

    def _loss(self, outputs: object, targets: Targets, number: int) -> Tensor:
        loss = self._loss_of(outputs, targets.labels, number)
        if targets.others is None:
            return loss
        return targets.share * loss + (1 - targets.share) * self._loss_of(outputs, targets.others, number)

    def _loss_of(self, outputs: object, labels: Tensor, number: int) -> Tensor:
        smoothing = self.recipe.label_smoothing
        if self.recipe.auxiliary == "in turn":
            steps = self.steps_per_epoch * self.recipe.epochs
            return classification.loss_in_turn(outputs, labels, number, steps, smoothing)
        return classification.loss(outputs, labels, smoothing)

    def _seed(self, number: int) -> None:
        """Gives a step its own chance: dropout draws from the global generator, all else from the engine's.

        Each process has a dropout of its own; what is drawn for a whole batch is the same in all of them.
        """
        import torch

        seed = _mix(self.recipe.seed, number, 2, self.processes.rank)
        torch.default_generator.manual_seed(seed)
        if self.device.kind == "cuda":
            torch.cuda.manual_seed(seed)
        shared_out = self.processes.rank if self.train.shared_out else 0
        self.generator.manual_seed(_mix(self.recipe.seed, number, 3, shared_out))

    def diverged(self, loss: float, number: int, images: Sequence[Tensor] = ()) -> TrainingError:
        """Returns the exception for a loss that is no number, at step `number` from 0.

        Args:
            loss: what it is.
            number: of the step.
            images: of the step, normalised, part by part: where the weights are still those of before it, the layer is
                looked for.
        """
        where = ""
        if images:
            self._seed(number)
            where = f", {self._origin(images)}"
        return TrainingError(
            f"the loss of step {number + 1} (epoch {number // self.steps_per_epoch + 1}) is {loss}{where}: try a lower "
            "learning rate, clip_norm or 32-bit precision"
        )

    def _origin(self, images: Sequence[Tensor]) -> str:
        """Returns in which layer numbers that are none begin, in whichever process finds the earliest."""
        found = find_origin(self.network, lambda: [self.module(part) for part in images])
        return min(self.processes.gather(found))[1]

    def gradient_norm(self) -> float | None:
        """Returns the length of the last step's gradient, before it was clipped; None where it is no number."""
        import torch

        if self._norm is None:
            gradients = [parameter.grad for parameter in self._trainable if parameter.grad is not None]
            norm = float(assemble(torch.nn.utils.get_total_norm(gradients)))
        else:
            norm = float(assemble(self._norm))
        return norm if math.isfinite(norm) else None

    def set_rate(self, rate: float) -> None:
        """Sets the learning rate of the next step."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def evaluate(self, images: Supply, report_every: float) -> Generator[Evaluating, None, Score]:
        """Returns how well the network, or the average of its weights, does on what `held_out` gave."""
        return evaluate(self.judged, images, self.preprocessing, self.recipe.evaluation, report_every, self.processes)

    def judge(self, pixels: Tensor) -> None:
        """Puts training images, uint8 (B, C, H, W), through the network as often as `evaluate` does."""
        import torch

        self.judged.eval()
        height, width = self.preprocessing.input[1:]
        with torch.no_grad():
            for _ in range(VIEWS[self.recipe.evaluation]):
                self.judged(normalise(pixels[..., :height, :width], self.preprocessing))

    def best_weights(self) -> dict[str, Any]:
        """Returns the weights that `evaluate` judges."""
        return assemble(self.module.state_dict() if self.average is None else self.average.state_dict())

    def load_best(self, weights: dict[str, Any]) -> None:
        """Has `evaluate` judge weights that `best_weights` gave; training cannot go on from them."""
        load_network(self.network if self.average is None else self.average.network, weights)

    def state(self) -> dict[str, Any]:
        """Returns all that a checkpoint keeps of network and optimiser."""
        state = {
            "normalisation": (self.preprocessing.mean, self.preprocessing.std),
            "model": self.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "second": self._second,
            "precision": self.fabric.strategy.precision.state_dict(),
        }
        return assemble(state if self.average is None else state | {"average": self.average.state_dict()})

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes over what `state` gave; raises whatever torch does where it does not fit."""
        load_network(self.network, state["model"])
        if state.get("second"):  # which earlier versions did not keep
            self._begin_second_phase()
        load_optimiser(self.optimiser.optimizer, state["optimiser"])
        if state["precision"]:  # of a gradient scaler, where the run began with one
            self.fabric.strategy.precision.load_state_dict(state["precision"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        if "normalisation" in state:  # which earlier versions had no need to keep
            mean, std = state["normalisation"]
            self.preprocessing = replace(self.preprocessing, mean=tuple(mean), std=tuple(std))


def _mix(seed: int, number: int, stream: int, rank: int = 0) -> int:
    """Returns a seed for the `number`-th draw of a stream, in one of the processes."""
    return (seed * 1_000_003 + number) * 16 + stream + (rank << 55)
