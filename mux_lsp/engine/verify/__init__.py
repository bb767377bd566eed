"""Run the checks on live texts, and track how the text diverges from the verdict."""
