"""Completions of a transformers model, for many prompts at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from trainers.dataset import Prompt, render_prompt


def generate_completions(
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

    The state of torch's random numbers does not change, so a measurement in the middle of a training
    does not change the training.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer.
        prompts: ``n`` prompts.
        samples: Completions of each prompt; 1 if the temperature is 0.
        temperature: 0 for greedy decoding.
        max_new_tokens: Tokens of a completion.
        batch: Completions that are generated at the same time.
        seed: Seed of the sampling.
        progress: Is called after each batch with its number of prompts.

    Returns:
        ``n`` lists of ``samples`` texts.
    """
    import torch

    encoded = [encode_prompt(prompt, tokenizer) for prompt in prompts]
    order = sorted(range(len(prompts)), key=lambda i: len(render_prompt(prompts[i], tokenizer)))
    completions: list[list[str]] = [[] for _ in prompts]
    was_training = model.training
    model.eval()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for part in split_batches(order, max(1, batch // samples)):
            texts = complete_batch(
                model,
                tokenizer,
                [encoded[i] for i in part],
                samples=samples,
                temperature=temperature,
                max_new_tokens=max_new_tokens,
            )
            for i, group in zip(part, texts, strict=True):
                completions[i] = group
            progress(len(part))
    model.train(was_training)
    return completions


def encode_prompt(prompt: Prompt, tokenizer: Any) -> list[int]:
    """Return a prompt's tokens. A chat template writes the special tokens itself; no others are added."""
    special = isinstance(prompt, str)
    return list(tokenizer(render_prompt(prompt, tokenizer), add_special_tokens=special)["input_ids"])


def split_batches(order: Sequence[int], size: int) -> list[Sequence[int]]:
    """Split the indices into batches of ``size``."""
    return [order[start : start + size] for start in range(0, len(order), size)]


def complete_batch(
    model: Any, tokenizer: Any, prompts: Sequence[list[int]], *, samples: int = 1, **sampling: Any
) -> list[list[str]]:
    """Complete one batch of prompts. Return ``n`` lists of ``samples`` texts; see `generate_tokens`."""
    tokens, _ = generate_tokens(model, tokenizer, prompts, samples=samples, **sampling)
    texts = tokenizer.batch_decode(tokens, skip_special_tokens=True)
    return [texts[i : i + samples] for i in range(0, len(texts), samples)]


def generate_tokens(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[list[int]],
    *,
    samples: int = 1,
    temperature: float = 0.0,
    top_p: float = 1.0,
    top_k: int = 0,
    max_new_tokens: int = 512,
    logits: bool = False,
) -> tuple[Any, Any]:
    """Complete one batch of prompts, with the current state of torch's random numbers.

    SamplingParams and penalties in the model's own generation configuration have no effect.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer.
        prompts: The tokens of ``n`` prompts.
        samples: Completions of each prompt; 1 if the temperature is 0.
        temperature: 0 for greedy decoding.
        top_p: The share of the probability mass to sample from.
        top_k: The number of tokens to sample from; 0 for all.
        max_new_tokens: Tokens of a completion.
        logits: Also return the logits.

    Returns:
        The tokens of the completions, ``samples`` rows for each prompt, and a tensor of logits for each
        column, or None.
    """
    import torch

    padded = tokenizer.pad({"input_ids": list(prompts)}, padding_side="left", return_tensors="pt")
    inputs = {key: padded[key].to(model.device) for key in ("input_ids", "attention_mask")}
    sampling = {"temperature": temperature, "top_k": top_k, "top_p": top_p} if temperature > 0 else {}
    with torch.no_grad():
        output = model.generate(
            **inputs,
            **sampling,
            do_sample=temperature > 0,
            num_return_sequences=samples,
            max_new_tokens=max_new_tokens,
            repetition_penalty=1.0,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=list_end_tokens(model, tokenizer),
            return_dict_in_generate=True,
            output_logits=logits,
        )
    return output.sequences[:, inputs["input_ids"].shape[1] :], output.logits


def count_tokens(rows: Sequence[Sequence[int]], end: Collection[int]) -> list[int]:
    """Count the tokens of each completion up to its first end token, which counts too.

    Example:
        >>> count_tokens([[5, 6, 2, 2], [5, 6, 7, 8]], end=[2])
        [3, 4]
    """
    return [next((place for place, token in enumerate(row, 1) if token in end), len(row)) for row in rows]


def list_end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Return the tokens that end a completion: the tokenizer's, and those in the model's configuration."""
    configured = model.generation_config.eos_token_id
    more = configured if isinstance(configured, list) else [configured]
    return sorted({token for token in (tokenizer.eos_token_id, *more) if token is not None})
