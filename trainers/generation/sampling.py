"""Completions from a model, many prompts at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

    encoded = [encode_prompt(prompt, tokenizer) for prompt in prompts]
    order = sorted(range(len(prompts)), key=lambda i: len(render_prompt(prompts[i], tokenizer)))
    done: list[list[str]] = [[] for _ in prompts]
    was_training = model.training
    model.eval()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for part in split_batches(order, max(1, batch // samples)):
            answers = complete_batch(
                model,
                tokenizer,
                [encoded[i] for i in part],
                samples=samples,
                temperature=temperature,
                max_new_tokens=max_new_tokens,
            )
            for i, texts in zip(part, answers, strict=True):
                done[i] = texts
            progress(len(part))
    model.train(was_training)
    return done


def encode_prompt(prompt: Prompt, tokenizer: Any) -> list[int]:
    """A prompt's tokens. A chat template has written the special ones itself; they are not added again."""
    special = isinstance(prompt, str)
    return list(tokenizer(render_prompt(prompt, tokenizer), add_special_tokens=special)["input_ids"])


def split_batches(order: Sequence[int], size: int) -> list[Sequence[int]]:
    """The places in batches of so many."""
    return [order[start : start + size] for start in range(0, len(order), size)]


def complete_batch(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[list[int]],
    *,
    samples: int = 1,
    temperature: float = 0.0,
    top_p: float = 1.0,
    max_new_tokens: int = 512,
) -> list[list[str]]:
    """Complete one batch of prompts with the model as it is, under torch's own random numbers.

    Nothing that a model's own generation configuration says about sampling or penalties counts.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer.
        prompts: The tokens of ``n`` prompts.
        samples: Completions a prompt; 1 where the temperature is 0.
        temperature: 0 for greedy decoding.
        top_p: The share of probability that is drawn from.
        max_new_tokens: Tokens a completion.

    Returns:
        ``n`` lists of ``samples`` texts.
    """
    import torch

    padded = tokenizer.pad({"input_ids": list(prompts)}, padding_side="left", return_tensors="pt")
    inputs = {key: padded[key].to(model.device) for key in ("input_ids", "attention_mask")}
    drawn = {"temperature": temperature, "top_k": 0, "top_p": top_p} if temperature > 0 else {}
    with torch.no_grad():
        output = model.generate(
            **inputs,
            **drawn,
            do_sample=temperature > 0,
            num_return_sequences=samples,
            max_new_tokens=max_new_tokens,
            repetition_penalty=1.0,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=_ends(model, tokenizer),
        )
    said = tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return [said[i : i + samples] for i in range(0, len(said), samples)]


def _ends(model: Any, tokenizer: Any) -> list[int]:
    """The tokens that end a completion: the tokenizer's, and those that the model is configured with."""
    configured = model.generation_config.eos_token_id
    more = configured if isinstance(configured, list) else [configured]
    return sorted({token for token in (tokenizer.eos_token_id, *more) if token is not None})
