"""Review: what runs change, placed on live texts; accepting, resolving and rejecting it."""
