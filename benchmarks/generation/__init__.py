"""Models that complete prompts, and the endpoint for OpenAI-compatible APIs."""
