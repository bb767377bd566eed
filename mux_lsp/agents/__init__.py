"""Start agents, follow their output, and end them. Every kind of agent implements the Protocol `backend.Backend`."""
