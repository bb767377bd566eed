-- What `vim.lsp.enable('mux')` starts, on Neovim 0.11. `vim.lsp.config('mux', { … })` goes over it.
return require('mux.connection').config()
