"""Completions from a model, many prompts at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from trainers.dataset import Prompt, plain


def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    *,
    samples: int = 1,
    temperature: float = 0.0,
    max_new_tokens: int = 512,
    batch: int = 256,
    seed: int = 0,
    progress: Callable[[int], None] = lambda done: None,
) -> list[list[str]]:
    """Complete each prompt.

    The state of torch's random numbers is as before afterwards, so that measuring a model in the
    middle of its training does not change it.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer.
        prompts: ``n`` prompts.
        samples: Completions a prompt; 1 where the temperature is 0.
        temperature: 0 for greedy decoding.
        max_new_tokens: Tokens a completion.
        batch: Completions that are made at the same time.
        seed: Seed of the sampling.
        progress: Called with the number of prompts that a batch has completed.

    Returns:
        ``n`` lists of ``samples`` texts.
    """
    import torch

    texts = [plain(prompt, tokenizer) for prompt in prompts]
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    size = max(1, batch // samples)
    done: list[list[str]] = [[] for _ in texts]
    sampling = {
        "do_sample": temperature > 0,
        "num_return_sequences": samples,
        "max_new_tokens": max_new_tokens,
    }
    if temperature > 0:
        sampling.update(temperature=temperature, top_k=0, top_p=1.0)
    was_training = model.training
    model.eval()
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        for start in range(0, len(order), size):
            part = order[start : start + size]
            answers = _complete(model, tokenizer, [texts[i] for i in part], sampling)
            for j, answer in enumerate(answers):
                done[part[j // samples]].append(answer)
            progress(len(part))
    model.train(was_training)
    return done


def _complete(model: Any, tokenizer: Any, texts: list[str], sampling: dict[str, Any]) -> list[str]:
    padded = tokenizer(texts, return_tensors="pt", padding=True, padding_side="left")
    inputs = {key: padded[key].to(model.device) for key in ("input_ids", "attention_mask")}
    ids = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    output = model.generate(**inputs, **sampling, **ids)
    return tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
