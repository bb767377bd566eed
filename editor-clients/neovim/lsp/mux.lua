-- The configuration that `vim.lsp.enable('mux')` uses on Neovim 0.11. `vim.lsp.config('mux', { … })` overrides it.
return require('mux.connection').config()
