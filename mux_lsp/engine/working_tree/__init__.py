"""Read and write the person's files by descriptor: stage, exchange, roll forward or back."""
