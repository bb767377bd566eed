"""The commands of the protocol, and who may call them."""
