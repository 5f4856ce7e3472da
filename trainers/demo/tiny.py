"""A tokenizer and a model from scratch, small enough to train on a laptop's processor.

``python -m trainers.demo.tiny --benchmark demo --output_dir runs/tiny``
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sql_env.parser import ResponseFormat, respond
from trainers.arguments import make_option

if TYPE_CHECKING:
    from transformers import Lfm2ForCausalLM, PreTrainedTokenizerFast

PIECES = r" ?[A-Z]{2,}(?: [A-Z]{2,})* ?| ?[^\w\s]+ ?|\w+|\s+"
"""Where words end: keywords and punctuation take the blanks around them, other words never do.

So a value is the same tokens in the question and between quotes, and copying it is easy to learn.
"""


@dataclass
class TinyArguments:
    """What the tokenizer is trained on, and how large the model is."""

    output_dir: str = make_option("runs/tiny", "Where model and tokenizer are saved.")
    benchmark: str = make_option("demo", "Benchmark whose prompts and answers make the vocabulary.")
    data_dir: str | None = make_option(None, "Folder of the benchmark's files, where it needs one.")
    split: str = make_option("train", "Split to read.")
    prompt: str = make_option("compact", "Prompt template.")
    reward: str = make_option("sql-r1", "Preset whose response format is kept.")
    strategy: str = make_option("sql", "Whether answers have reasoning.")
    vocabulary: int = make_option(2000, "Tokens.")
    width: int = make_option(128, "Hidden size.")
    layers: int = make_option(2, "Layers.")
    heads: int = make_option(4, "Attention heads.")
    positions: int = make_option(1024, "Longest prompt and completion together, in tokens.")
    seed: int = make_option(0, "Seed of the weights.")


def train_tokenizer(
    texts: Iterable[str], form: ResponseFormat, vocabulary: int = 2000, whole: Sequence[str] = ()
) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer in which the frame of an answer is a token for each piece.

    Args:
        texts: What the vocabulary is learnt from.
        form: The response format.
        vocabulary: Tokens, without the pieces of the frame and without ``whole``.
        whole: Further texts that shall be one token each.
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
    learnt = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<pad>", "<eos>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(texts, learnt)
    made.add_tokens([*list_frame_pieces(form), *whole])
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token="<eos>",
        pad_token="<pad>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def list_frame_pieces(form: ResponseFormat) -> list[str]:
    """What stands before, between and after the reasoning and the SQL of a completion."""
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
    """A model with random weights: 0.7 M parameters as it stands.

    Layers are by turns short convolutions and attention (LFM2, as transformers has it). A text-to-SQL
    model must copy names and values from the question; with a convolution in front, one attention
    layer can, and learns it many times sooner than a Llama of the same size does. The initial weights
    are four times as large as usual, which helps a model this small too.
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


def main(argv: list[str] | None = None) -> None:
    """Make and save them."""
    from transformers import HfArgumentParser

    from sql_env import Scorer, load_benchmark
    from trainers.dataset import Prompter

    (args,) = HfArgumentParser(TinyArguments).parse_args_into_dataclasses(argv)
    with Scorer(args.reward) as scorer:
        prompter = Prompter(scorer, args.prompt)
        tasks = load_benchmark(args.benchmark, args.split, args.data_dir).tasks
        texts = [str(prompter(task)) + prompter.make_completion(task, args.strategy) for task in tasks]
        words = train_tokenizer(texts, scorer.rubric.form, args.vocabulary)
    shape = {"width": args.width, "layers": args.layers, "heads": args.heads, "positions": args.positions}
    made = make_model(words, **shape, seed=args.seed)
    made.save_pretrained(args.output_dir)
    words.save_pretrained(args.output_dir)
    print(f"{made.num_parameters() / 1e6:.2f} M parameters, {len(words)} tokens: {args.output_dir}")


if __name__ == "__main__":
    main()
