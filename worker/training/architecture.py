"""The demo model's configuration, vocabulary, processor and first weights."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    BertConfig,
    BertTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
    SwinConfig,
)

from training.phrases import COLOURS, SHAPES

SHORTEST, LONGEST = 128, 256
"""What the image processor makes of a picture's sides, in pixels."""
BIAS_CHANNEL = 0
FIRST_BIAS = -4.6  # a class is there with a probability of 1 %, as in focal loss's own start


def configuration() -> GroundingDinoConfig:
    """Return a Grounding DINO of 1.3 million weights that learns on two CPU cores."""
    return GroundingDinoConfig(
        backbone_config=SwinConfig(
            image_size=128, embed_dim=24, depths=[1, 1, 2, 1], num_heads=[2, 2, 4, 4], window_size=4,
            drop_path_rate=0.0, out_indices=[2, 3, 4],  # type: ignore[call-arg]
        ),
        text_config=BertConfig(
            vocab_size=1100, hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128,
            hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        ),
        d_model=64, encoder_attention_heads=4, decoder_attention_heads=4, encoder_layers=2, decoder_layers=2,
        encoder_ffn_dim=128, decoder_ffn_dim=128, num_queries=30, num_feature_levels=3, max_text_len=64,
        dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, fusion_dropout=0.0, fusion_droppath=0.0,
        text_enhancer_dropout=0.0,
    )  # fmt: skip


def vocabulary() -> list[str]:
    """Return 1,100 words. The model's file has the ids of [CLS], [SEP], full stop and question mark in it."""
    words = [f"[unused{index}]" for index in range(1100)]
    words[0], words[100], words[101], words[102], words[103] = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
    words[1012], words[1029] = ".", "?"
    words[110 : 110 + len(COLOURS) + len(SHAPES) + 1] = [*COLOURS, *SHAPES, "shape"]
    return words


def processor(folder: Path) -> GroundingDinoProcessor:
    """Write the vocabulary into a folder and return tokenizer and image processor as one."""
    folder.mkdir(parents=True, exist_ok=True)
    words = folder / "vocab.txt"
    words.write_text("\n".join(vocabulary()) + "\n")
    tokenizer = BertTokenizer(vocab=str(words), do_lower_case=True)
    pictures = GroundingDinoImageProcessor(size={"shortest_edge": SHORTEST, "longest_edge": LONGEST})
    build: Any = GroundingDinoProcessor  # untyped in transformers
    processor: GroundingDinoProcessor = build(pictures, tokenizer)
    return processor


def first_weights(seed: int) -> GroundingDinoForObjectDetection:
    """Return an untrained model that starts sane.

    As shipped, the fusion layers start switched off and the class score is an unscaled dot product without a bias:
    the first loss is in the thousands. Here fusion starts at 0.3, the text's last norm at 1/8, and one channel is
    a constant that gives every class a low score. All of them are ordinary weights, and train.
    """
    torch.manual_seed(seed)
    model = GroundingDinoForObjectDetection(configuration())
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("vision_param", "text_param")):
                weight.fill_(0.3)
        inner = model.model
        text_norm = inner.encoder.layers[-1].text_enhancer_layer.layer_norm_after
        text_norm.weight.fill_(0.125)
        text_norm.weight[BIAS_CHANNEL], text_norm.bias[BIAS_CHANNEL] = 0.0, FIRST_BIAS
        for norm in (inner.enc_output_norm, inner.decoder.layer_norm):
            norm.weight[BIAS_CHANNEL], norm.bias[BIAS_CHANNEL] = 0.0, 1.0
    return model
