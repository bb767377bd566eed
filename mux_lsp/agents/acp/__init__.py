"""Run agents that speak the Agent Client Protocol, version 1 (https://agentclientprotocol.com), over pipes."""
