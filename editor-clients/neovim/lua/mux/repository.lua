--- The git repository that something is of, by the path of its root. No link leads to such a path, as the daemon has it.
local M = {}

--- A path to which no link leads.
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

--- That of a buffer's file; nil for what is no file of one, git's own in `.git` among them.
---@param buf integer
---@return string?
function M.of(buf)
  local name = vim.api.nvim_buf_get_name(buf)
  if vim.bo[buf].buftype ~= '' or name == '' or name:find('^%a[%w+.-]+:') or name:find('/.git/', 1, true) then
    return nil
  end
  return root_of(buf)
end

--- The one that a command is about: that of the current buffer, or of what a window of ours shows, else that of the
--- current folder.
---@return string?
function M.here()
  local buf = vim.api.nvim_get_current_buf()
  return M.of(buf) or vim.b[buf].mux_root or root_of(vim.fn.getcwd())
end

---@type table<string, string>
local paths = {}

--- The path of a repository that the daemon names. Not every sign stands in its URIs as in Neovim's.
---@param uri string
---@return string
function M.path(uri)
  paths[uri] = paths[uri] or vim.uri_to_fname(uri)
  return paths[uri]
end

return M
