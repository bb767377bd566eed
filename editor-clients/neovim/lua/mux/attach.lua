--- Attach to the buffers of git repositories automatically.
local compat = require('mux.compat')
local config = require('mux.config')
local repository = require('mux.repository')

local M = {}

local enabled = false

--- Enable the client in Neovim 0.11, which attaches it to all buffers with a filetype.
local function enable()
  if not enabled then
    enabled = true
    vim.lsp.enable('mux')
  end
end

--- Attach a buffer, if its file is in a git repository. Called when a file was opened or its filetype detected.
---@param buf integer
function M.consider(buf)
  if not config.get().attach or not vim.api.nvim_buf_is_loaded(buf) or not repository.of(buf) then
    return
  end
  if compat.has_config then
    enable()
    if vim.bo[buf].filetype ~= '' then
      return
    end
  end
  local connection = require('mux.connection')
  if not connection.is_attached(buf) then
    connection.attach(buf)
  end
end

return M
