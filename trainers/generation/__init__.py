"""Completions of models that transformers or vLLM run, and their accuracy."""
