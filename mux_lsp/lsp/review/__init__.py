"""Review in the editor: places, lenses, actions, diagnostics, hovers and edits."""
