"""Train the demo model: `python -m training.train --out FOLDER`. Stop it any time; the same command goes on."""

import argparse
import copy
import json
import math
import time
from pathlib import Path
from typing import Any

import torch

from training.architecture import first_weights, processor
from training.batches import Batches
from training.loss import loss

WARM_UP = 400
DECAY_SHARE = 0.35
"""The last part of the run, in which the learning rate falls to nothing."""
EMA = 0.999


def learning_rate(step: int, steps: int, highest: float) -> float:
    """Rise, stay, fall: with a flat middle, a run may be made longer or shorter while it goes on."""
    left = (steps - step) / (steps * DECAY_SHARE)
    return highest * min(1.0, (step + 1) / WARM_UP, max(left, 0.0))


def train(out: Path, steps: int, seed: int, count: int, highest: float, save_every: int) -> None:
    """Train to `steps`, from the checkpoint in `out` if there is one, and write the averaged weights to `out/model`."""
    torch.set_flush_denormal(True)
    model: Any = first_weights(seed)
    average = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=highest, weight_decay=1e-4, fused=True)
    checkpoint, first, spent = out / "checkpoint.pt", 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        first, spent = state["step"], state["seconds"]
        print(f"going on from step {first}", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    loader = torch.utils.data.DataLoader(
        Batches(seed, first, steps, count), batch_size=None, num_workers=1, prefetch_factor=8
    )
    model.train()
    shown, sum_of_losses, started = first, 0.0, time.monotonic()
    for step, batch in enumerate(loader, first):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, highest)
        outputs = model(pixel_values=batch.pixels, input_ids=batch.words, attention_mask=batch.mask)
        wrong: Any = loss(model, outputs, batch)
        if not math.isfinite(wrong.item()):
            raise SystemExit(f"the loss is no number at step {step}")
        optimizer.zero_grad(set_to_none=True)
        wrong.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        decay = min(EMA, (step + 1) / (step + 10))
        torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
        sum_of_losses += wrong.item()
        done = step + 1
        if done % 100 == 0 or done == steps:
            seconds = spent + time.monotonic() - started
            line = {"step": done, "loss": round(sum_of_losses / (done - shown), 3), "seconds": round(seconds)}
            print(json.dumps(line), flush=True)
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            shown, sum_of_losses = done, 0.0
        if done % save_every == 0 or done == steps:
            seconds = spent + time.monotonic() - started
            fresh = checkpoint.with_suffix(".new")
            state = {"model": model.state_dict(), "average": average.state_dict(), "step": done, "seconds": seconds}
            torch.save({**state, "optimizer": optimizer.state_dict()}, fresh)
            fresh.replace(checkpoint)
            average.save_pretrained(out / "model")
            processor(out / "model").save_pretrained(out / "model")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, log and model")
    parser.add_argument("--steps", type=int, default=14_000)
    parser.add_argument("--seed", type=int, default=20_260)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--save-every", type=int, default=500)
    given = parser.parse_args()
    train(given.out, given.steps, given.seed, given.batch, given.learning_rate, given.save_every)


if __name__ == "__main__":
    main()
