--- Find git repositories, by the real paths of their roots, which the daemon uses.
local M = {}

--- Resolve the links in a path.
---@param path string
---@return string
function M.real(path)
  ---@diagnostic disable-next-line: undefined-field
  local real = vim.uv.fs_realpath(path) ---@type string?
  return real or path
end

---@param start integer|string
---@return string?
local function root_of(start)
  local root = vim.fs.root(start, '.git')
  return root and M.real(root)
end

--- Return the repository of a buffer's file; nil for a file outside of any, or in `.git`.
---@param buf integer
---@return string?
function M.of(buf)
  local name = vim.api.nvim_buf_get_name(buf)
  if vim.bo[buf].buftype ~= '' or name == '' or name:find('^%a[%w+.-]+:') or name:find('/.git/', 1, true) then
    return nil
  end
  return root_of(buf)
end

--- Return the repository that a command is about: that of the current buffer, of the document in a window of the plugin,
--- or of the working directory.
---@return string?
function M.here()
  local buf = vim.api.nvim_get_current_buf()
  return M.of(buf) or vim.b[buf].mux_root or root_of(vim.fn.getcwd())
end

---@type table<string, string>
local paths = {}

--- Return the path of a repository's URI. URIs cannot be compared: the daemon percent-encodes other characters than Neovim.
---@param uri string
---@return string
function M.path(uri)
  paths[uri] = paths[uri] or vim.uri_to_fname(uri)
  return paths[uri]
end

return M
