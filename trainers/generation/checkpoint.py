"""A model's folder, or its name on the Hugging Face hub: its tokenizer, and what tells it from others."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.generation.generator import Chat
from sql_env.errors import GenerationError
from sql_env.prompts.prompt import chat_text
from trainers.generation.sampling import encode_prompt

FILES = (".safetensors", ".bin", ".json", ".jinja", ".model")
"""Files of a model's folder that what it says depends on."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model that has not been loaded yet.

    Attributes:
        name: Its name on the hub, or its folder.
        revision: Its revision on the hub; None for the newest.
        tokenizer: Its tokenizer, with a token to pad with.

    Raises:
        GenerationError: There is no such model, or it has no tokenizer.
    """

    name: str
    revision: str | None = None
    tokenizer: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from transformers import AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(self.name, revision=self.revision)
        except (OSError, ValueError) as error:
            raise GenerationError(
                f"no model at {self.name!r}: {error}. Give a folder with a model and its tokenizer, or a "
                "name on the Hugging Face hub"
            ) from None
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        object.__setattr__(self, "tokenizer", tokenizer)

    def encode(self, chat: Chat) -> list[int]:
        """The tokens of a prompt: by the chat template, or as plain text where there is none."""
        prompt = chat if self.tokenizer.chat_template is not None else chat_text(chat)
        return encode_prompt(prompt, self.tokenizer)

    def identity(self) -> dict[str, str]:
        """Its name, and its commit on the hub or the SHA-256 of its folder's files.

        Raises:
            GenerationError: It has no configuration, or its files cannot be read.
        """
        from transformers import AutoConfig

        try:
            if Path(self.name).is_dir():
                return {"model": self.name, "sha256": hash_folder(Path(self.name))}
            commit = AutoConfig.from_pretrained(self.name, revision=self.revision)._commit_hash
        except (OSError, ValueError) as error:
            raise GenerationError(f"no model at {self.name!r}: {error}") from None
        return {"model": self.name, "revision": commit or self.revision or ""}


def hash_folder(folder: Path) -> str:
    """The SHA-256 of a model's files and their names."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix in FILES):
        with path.open("rb") as file:
            found.update(path.name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()
