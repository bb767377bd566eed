"""The agents of the demonstration: small programs, each with its own way to mend the sample."""
