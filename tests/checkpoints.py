"""Small Grounding DINO folders with random weights, loaded like any other checkpoint."""

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
    MMGroundingDinoConfig,
    MMGroundingDinoForObjectDetection,
    SwinConfig,
)

WORDS = [
    "person",
    "forklift",
    "open",
    "door",
    "bicycle",
    "dog",
    "cat",
    "car",
    "taxi",
    "van",
    "red",
    "blue",
    "circle",
    "square",
    "shape",
    "a",
    "the",
    "in",
    "of",
    "on",
]


def vocabulary() -> list[str]:
    """1,100 words; the model's file has the ids of [CLS], [SEP], full stop and question mark written into it."""
    words = [f"[unused{index}]" for index in range(1100)]
    words[0], words[100], words[101], words[102], words[103] = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
    words[1012], words[1029] = ".", "?"
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    for at, word in enumerate([*WORDS, *letters, *(f"##{letter}" for letter in letters), "-", ","], 110):
        words[at] = word
    return words


def small_config() -> GroundingDinoConfig:
    """A configuration that answers in milliseconds."""
    return GroundingDinoConfig(
        backbone_config=SwinConfig(
            image_size=128, embed_dim=24, depths=[1, 1, 2, 1], num_heads=[2, 2, 4, 4], window_size=4,
            out_indices=[2, 3, 4],
        ),
        text_config=BertConfig(
            vocab_size=1100, hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128
        ),
        d_model=64, encoder_attention_heads=4, decoder_attention_heads=4, encoder_layers=2, decoder_layers=2,
        encoder_ffn_dim=128, decoder_ffn_dim=128, num_queries=30, num_feature_levels=3, max_text_len=64,
    )  # fmt: skip


def small_mm_config() -> MMGroundingDinoConfig:
    """The same as MM Grounding DINO: its scores have a scale and a bias, and its box heads are not shared."""
    small = small_config().to_dict()
    kept = {
        name: small[name]
        for name in (
            "backbone_config", "text_config", "d_model", "encoder_attention_heads", "decoder_attention_heads",
            "encoder_layers", "decoder_layers", "encoder_ffn_dim", "decoder_ffn_dim", "num_queries",
            "num_feature_levels", "max_text_len",
        )
    }  # fmt: skip
    return MMGroundingDinoConfig(**kept)


def swin_t_config() -> GroundingDinoConfig:
    """The full Swin-T architecture, as `tiny` has it, but for the vocabulary's size."""
    return _full(image_size=224, embed_dim=96, depths=[2, 2, 6, 2], num_heads=[3, 6, 12, 24], window_size=7)


def swin_b_config() -> GroundingDinoConfig:
    """The full Swin-B architecture, as `base` has it, but for the vocabulary's size."""
    return _full(image_size=384, embed_dim=128, depths=[2, 2, 18, 2], num_heads=[4, 8, 16, 32], window_size=12)


def _full(**backbone: Any) -> GroundingDinoConfig:
    return GroundingDinoConfig(
        backbone_config=SwinConfig(**backbone, out_indices=[2, 3, 4]), text_config=BertConfig(vocab_size=1100)
    )


def redraw(model: torch.nn.Module, seed: int) -> None:
    """Draw every weight that starts at a constant anew.

    As initialised, box heads, deformable offsets and fusion scales are zero or 1e-4: a model in which they are
    broken would give the same answers. Neither may they be so large that rounding grows to pixels, as it does not in
    a trained model: wide layers get small weights, and scores spread over the whole of 0 to 1.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("decoder.layer_norm.weight"):
                weight.fill_(0.2)
            elif "norm" in name.lower():
                continue
            elif name.endswith(("vision_param", "text_param")):
                weight.fill_(0.3)
            elif weight.dim() < 2 or weight.abs().max() < 1e-3 or "sampling_offsets" in name or "bbox_embed" in name:
                spread = 0.1 if weight.dim() < 2 else 0.8 / weight.shape[-1] ** 0.5
                weight.copy_(torch.randn(weight.shape, generator=generator) * spread)


def save(
    folder: Path,
    config: GroundingDinoConfig | MMGroundingDinoConfig,
    seed: int = 7,
    shortest: int = 128,
    longest: int = 256,
) -> Path:
    """Write a model with its processor into a folder."""
    torch.manual_seed(seed)
    kind = (
        GroundingDinoForObjectDetection
        if isinstance(config, GroundingDinoConfig)
        else MMGroundingDinoForObjectDetection
    )
    model = kind(config).eval()
    redraw(model, seed)
    model.save_pretrained(folder)
    words = folder / "vocab.txt"
    words.write_text("\n".join(vocabulary()) + "\n")
    tokenizer = BertTokenizer(vocab=str(words), do_lower_case=True)
    image_processor = GroundingDinoImageProcessor(size={"shortest_edge": shortest, "longest_edge": longest})
    GroundingDinoProcessor(image_processor, tokenizer).save_pretrained(folder)
    return folder
