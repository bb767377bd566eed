"""List the environment variables that contain keys to models."""

ADDRESSES = frozenset({"ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "OPENAI_BASE_URL"})
"""Variables with the addresses of the servers that some of the keys are for."""

ACCOUNTS = (
    ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_BASE_URL"),
    ("OPENAI_API_KEY", "CODEX_API_KEY", "OPENAI_BASE_URL"),
    ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL"),
    ("AWS_BEARER_TOKEN_BEDROCK",),
    ("AZURE_OPENAI_API_KEY",),
    ("COPILOT_GITHUB_TOKEN",),
    ("CURSOR_API_KEY",),
    ("DEEPSEEK_API_KEY",),
    ("GROQ_API_KEY",),
    ("MISTRAL_API_KEY",),
    ("OPENROUTER_API_KEY",),
    ("XAI_API_KEY",),
)
"""Variables that belong together: a key is for one server and for no other."""

KEYS = frozenset(name for account in ACCOUNTS for name in account) - ADDRESSES
"""Variables with keys. Agents that are separate programs need theirs; commands that a model runs need none."""
