--- Messages to the person. They come in a moment and not at once: within a command or an autocommand one about a failure
--- would be an exception.
local safe = require('mux.safe')

local M = {}

---@param level integer
---@return fun(message: string)
local function teller(level)
  return function(message)
    local harmless = 'mux: ' .. safe.text(message)
    vim.schedule(function()
      -- What a menu has left below the window would be before it, and both together wait for the Enter key.
      vim.cmd.redraw()
      vim.notify(harmless, level)
    end)
  end
end

M.info = teller(vim.log.levels.INFO)
M.warn = teller(vim.log.levels.WARN)
M.error = teller(vim.log.levels.ERROR)

--- Words below the window that the next ones take the place of, cut off where they would wait for the Enter key.
---@param message string
function M.say(message)
  local room = vim.v.echospace + (vim.o.cmdheight - 1) * vim.o.columns
  vim.api.nvim_echo({ { safe.short('mux: ' .. message, math.max(room, 20)) } }, false, {})
end

return M
