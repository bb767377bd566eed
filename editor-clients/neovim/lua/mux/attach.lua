--- Attaching to the buffers of git repositories, without being called.
local compat = require('mux.compat')
local config = require('mux.config')
local repository = require('mux.repository')

local M = {}

local enabled = false

--- Have Neovim 0.11 attach to everything that has a filetype, now and from now on.
local function enable()
  if not enabled then
    enabled = true
    vim.lsp.enable('mux')
  end
end

--- A file was opened, or its filetype was found out.
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
