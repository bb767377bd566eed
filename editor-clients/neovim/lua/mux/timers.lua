--- Create timers, with types, which `vim.uv` does not have.
local M = {}

---@class mux.Timer
---@field start fun(self: mux.Timer, timeout: integer, every: integer, callback: fun())
---@field stop fun(self: mux.Timer)
---@field close fun(self: mux.Timer)

---@return mux.Timer
function M.new()
  ---@diagnostic disable-next-line: undefined-field
  local timer = assert(vim.uv.new_timer())
  return timer
end

return M
