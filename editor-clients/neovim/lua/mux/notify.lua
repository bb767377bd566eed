--- Show messages. They are scheduled: within a command or an autocommand, Neovim would turn an error message into an
--- exception.
local sanitize = require('mux.sanitize')

local M = {}

---@param level integer
---@return fun(message: string)
local function notifier(level)
  return function(message)
    local text = 'mux: ' .. sanitize.text(message)
    vim.schedule(function()
      -- Clear the rest of a menu: together with the message, it would wait for the Enter key.
      vim.cmd.redraw()
      vim.notify(text, level)
    end)
  end
end

M.info = notifier(vim.log.levels.INFO)
M.warn = notifier(vim.log.levels.WARN)
M.error = notifier(vim.log.levels.ERROR)

--- Show a short message that the next one replaces, cut where it would wait for the Enter key.
---@param message string
function M.echo(message)
  local room = vim.v.echospace + (vim.o.cmdheight - 1) * vim.o.columns
  vim.api.nvim_echo({ { sanitize.short('mux: ' .. message, math.max(room, 20)) } }, false, {})
end

return M
