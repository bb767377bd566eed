"""Run the checks on live texts, and track how the text moves away from the verdict."""
