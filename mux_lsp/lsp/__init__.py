"""LSP: protocol, conversion, sessions and features. The only place that knows pygls and lsprotocol."""
