"""The models of the zoo by name; looking them up needs no PyTorch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from rammer_ir.zoo.example import Example


@dataclass(frozen=True)
class Entry:
    """A model: the module of this package and the function in it that makes the model."""

    summary: str
    module: str
    function: str

    def make(self, *, small: bool) -> "Example":
        """The model with weights and inputs by PyTorch's current random state."""
        function = getattr(import_module(f"rammer_ir.zoo.{self.module}"), self.function)
        return cast("Callable[[bool], Example]", function)(small)


CATALOGUE: Final[Mapping[str, Entry]] = {
    "resnet50": Entry("ResNet-50, 224 x 224", "resnet", "make_resnet50"),
    "mobilenet-v2": Entry("MobileNetV2, 224 x 224", "mobilenet", "make_mobilenet_v2"),
    "efficientnet-b0": Entry("EfficientNet-B0, 224 x 224", "efficientnet", "make_efficientnet_b0"),
    "vit-b16": Entry("ViT-B/16, 224 x 224", "vit", "make_vit_b16"),
    "bert-base": Entry("BERT-base, 128 tokens", "bert", "make_bert_base"),
    "gpt2-prefill": Entry("GPT-2 small, 128 tokens, gives its cache of keys and values", "gpt2", "make_prefill"),
    "gpt2-decode": Entry("GPT-2 small, one token behind a cache of 128", "gpt2", "make_decode"),
    "llama-block": Entry("a block of Llama 3.2 1B, 128 tokens", "llama", "make_llama_block"),
    "detector": Entry("the head of a YOLO-style detector with non-maximum suppression", "detector", "make_detector"),
    "unet": Entry("U-Net, 256 x 256", "unet", "make_unet"),
    "alexnet": Entry("AlexNet, 227 x 227", "alexnet", "make_alexnet"),
    "resnext29": Entry("ResNeXt-29 16x64d, 32 x 32, grouped convolutions", "resnext", "make_resnext29"),
    "resnext29-branches": Entry("the same, 16 branches in a block", "resnext", "make_resnext29_branches"),
    "resnext101": Entry("ResNeXt-101 64x4d, 224 x 224, grouped convolutions", "resnext", "make_resnext101"),
    "resnext101-branches": Entry("the same, 64 branches in a block", "resnext", "make_resnext101_branches"),
    "nasnet-cifar": Entry("NASNet-A 6@768, 32 x 32", "nasnet", "make_nasnet_cifar"),
    "nasnet-mobile": Entry("NASNet-A 4@1056, 224 x 224", "nasnet", "make_nasnet_mobile"),
    "lstm": Entry("LSTM of 10 layers, 100 steps, 256 units", "lstm", "make_lstm"),
    "lstm-cells": Entry("the same, unrolled to 8 matrix products a cell", "lstm", "make_lstm_cells"),
    "seq2seq": Entry("LSTM encoder 8 x 100, decoder 4 x 30, 128 units", "seq2seq", "make_seq2seq"),
    "deepspeech2": Entry("DeepSpeech2, 300 frames, 7 layers of 256 units", "deepspeech2", "make_deepspeech2"),
}
"""In the order of the list: what people run today, then the models of Rammer's evaluation (OSDI 2020)."""
