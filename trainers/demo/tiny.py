"""A tokenizer and a model from scratch, small enough to train on a laptop's processor.

``python -m trainers.demo.tiny --benchmark demo --output_dir runs/tiny``
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sql_env import Scorer, load_benchmark
from sql_env.parser import ResponseFormat, respond
from sql_env.prompts.template import load_template, record_template
from trainers.arguments import make_option, run_command
from trainers.dataset import Prompter

if TYPE_CHECKING:
    from transformers import Lfm2ForCausalLM, PreTrainedTokenizerFast

PIECES = r" ?[A-Z]{2,}(?: [A-Z]{2,})* ?| ?[^\w\s]+ ?|\w+|\s+"
"""The words of a text: keywords and punctuation include the blanks around them, other words do not.

So a value has the same tokens in the question and between quotes, and copying it is easy to learn.
"""


@dataclass
class TinyArguments:
    """The texts of the tokenizer, and the size of the model."""

    output_dir: str = make_option("runs/tiny", "Folder of the model and the tokenizer.")
    benchmark: str = make_option("demo", "Benchmark whose prompts and answers make the vocabulary.")
    data_dir: str | None = make_option(None, "Folder of the benchmark's files, if it needs one.")
    split: str = make_option("train", "Split to read.")
    prompt: str = make_option("compact", "Prompt template.")
    reward: str = make_option("sql-r1", "Preset that has the response format.")
    strategy: str = make_option("sql", "Answers have reasoning and SQL, or SQL only.")
    vocabulary: int = make_option(2000, "Tokens of the vocabulary.")
    width: int = make_option(128, "Hidden size.")
    layers: int = make_option(2, "Layers.")
    heads: int = make_option(4, "Attention heads.")
    positions: int = make_option(1024, "Longest prompt and completion together, in tokens.")
    seed: int = make_option(0, "Seed of the weights.")


def train_tokenizer(
    texts: Iterable[str], form: ResponseFormat, vocabulary: int = 2000, whole: Sequence[str] = ()
) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer. Each piece of text around reasoning and SQL is one token.

    Args:
        texts: The texts that make the vocabulary.
        form: The response format.
        vocabulary: Tokens, without those pieces and without ``whole``.
        whole: Further texts that become one token each.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<pad>", "<eos>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    made.add_tokens([*list_frame_pieces(form), *whole])
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token="<eos>",
        pad_token="<pad>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def list_frame_pieces(form: ResponseFormat) -> list[str]:
    """Return the text before, between and after the reasoning and the SQL of a completion."""
    return [piece for piece in re.split("[\0\1]", respond("\1", "\0", form)) if piece]


def make_model(
    tokenizer: PreTrainedTokenizerFast,
    *,
    width: int = 128,
    layers: int = 2,
    heads: int = 4,
    positions: int = 1024,
    seed: int = 0,
) -> Lfm2ForCausalLM:
    """Make a model with random weights: 0.7 M parameters with the default sizes.

    Short convolutions and attention layers alternate (LFM2 of transformers). A text-to-SQL model must
    copy names and values from the question. One attention layer after a convolution can do this, and
    learns it in far fewer steps than a Llama of the same size. The initial weights are four times as
    large as usual, which also helps a model this small.
    """
    from transformers import Lfm2Config, Lfm2ForCausalLM, set_seed

    set_seed(seed)
    return Lfm2ForCausalLM(
        Lfm2Config(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=3 * width,
            block_auto_adjust_ff_dim=False,
            num_hidden_layers=layers,
            layer_types=[("conv", "full_attention")[i % 2] for i in range(layers)],
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=positions,
            rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
            initializer_range=0.08,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
    )


def save_tiny_model(args: TinyArguments) -> None:
    """Train the tokenizer, make the model, and save both with the name of the prompt template."""
    template = load_template(args.prompt)
    with Scorer(args.reward) as scorer:
        prompter = Prompter(scorer, template)
        tasks = load_benchmark(args.benchmark, args.split, args.data_dir).tasks
        texts = [str(prompter(task)) + prompter.make_completion(task, args.strategy) for task in tasks]
        tokenizer = train_tokenizer(texts, scorer.rubric.form, args.vocabulary)
    shape = {"width": args.width, "layers": args.layers, "heads": args.heads, "positions": args.positions}
    model = make_model(tokenizer, **shape, seed=args.seed)
    for part in (model, tokenizer):
        part.save_pretrained(args.output_dir)
    record_template(Path(args.output_dir), template, None)
    print(f"{model.num_parameters() / 1e6:.2f} M parameters, {len(tokenizer)} tokens: {args.output_dir}")


if __name__ == "__main__":
    run_command(save_tiny_model, TinyArguments)
