"""A model's folder, or its name on the Hugging Face hub: the tokenizer, and the model's identity."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from benchmarks.generation.generator import Chat
from sql_env.errors import GenerationError
from sql_env.prompts.prompt import join_messages
from trainers.dataset import load_tokenizer
from trainers.generation.sampling import encode_prompt

FILES = (".safetensors", ".bin", ".json", ".jinja", ".model")
"""Suffixes of the files in a model's folder that its completions depend on."""


class CheckpointGenerator:
    """The part of a generator that needs a model's tokenizer, but not the model.

    Args:
        name: The model's name on the hub, or its folder.
        revision: Its revision on the hub; None for the newest.

    Attributes:
        tokenizer: The tokenizer, with a token to pad with.

    Raises:
        GenerationError: There is no such model, or it has no tokenizer.
    """

    unit = "tokens"

    def __init__(self, name: str, revision: str | None) -> None:
        from transformers import AutoConfig

        self.name, self.revision, self._model = name, revision, None
        try:
            self.tokenizer = load_tokenizer(name, revision)
            if Path(name).is_dir():
                identity = {"sha256": hash_folder(Path(name))}
            else:
                commit = AutoConfig.from_pretrained(
                    name, revision=revision, trust_remote_code=False
                )._commit_hash
                identity = {"revision": commit or revision or ""}
        except (OSError, ValueError) as error:
            raise GenerationError(
                f"no model at {name!r}: {error}. Give a folder with a model and its tokenizer, or a "
                "name on the Hugging Face hub. Code of a model is never run here: serve a model that needs "
                "its own code on an endpoint, and give --base-url"
            ) from None
        self.settings: dict[str, Any] = {"model": name, **identity}

    def encode(self, chat: Chat) -> list[int]:
        """Return the tokens of a prompt: by the chat template, or as plain text if there is none."""
        prompt = chat if self.tokenizer.chat_template is not None else join_messages(chat)
        return encode_prompt(prompt, self.tokenizer)

    def size(self, chat: Chat) -> int:
        """Count the tokens of a prompt."""
        return len(self.encode(chat))

    def close(self) -> None:
        """Release the model."""
        self._model = None


def hash_folder(folder: Path) -> str:
    """Return the SHA-256 of a model's files and their names."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix in FILES):
        with path.open("rb") as file:
            digest.update(path.name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
