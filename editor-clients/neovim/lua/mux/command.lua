--- Run and complete `:Mux`.
local notify = require('mux.notify')
local subcommands = require('mux.subcommands')

local M = {}

---@return string[]
local function names()
  local sorted = vim.tbl_keys(subcommands)
  table.sort(sorted)
  return sorted
end

--- Carry out `:Mux …`.
---@param call vim.api.keyset.create_user_command.command_args
function M.run(call)
  local name = call.fargs[1] or 'tasks'
  local subcommand = subcommands[name]
  if not subcommand then
    return notify.error(('there is no :Mux %s: the subcommands are %s'):format(name, table.concat(names(), ', ')))
  end
  if subcommand.arguments == '' and #call.fargs > 1 then
    return notify.error((':Mux %s takes no argument'):format(name))
  end
  local done, failure = pcall(subcommand.run, {
    arguments = vim.list_slice(call.fargs, 2),
    rest = vim.trim(call.args:sub(#name + 1)),
    lines = call.range > 0 and { first = call.line1 - 1, last = call.line2 - 1 } or nil,
    count = call.range == 1 and call.count or nil,
  })
  if not done then
    -- Neovim's own errors, for example that there is no room for a window, are shown in its words.
    local message = tostring(failure):match('Vim[^:]*:(E%d+: .*)')
    if not message then
      error(failure, 0)
    end
    notify.error(message)
  end
end

--- Return the possible words at the cursor of a command line.
---@param lead string
---@param line string
---@param position integer
---@return string[]
function M.complete(lead, line, position)
  local typed = line:sub(1, position):match('Mux!?%s+(.*)$') or ''
  local words = vim.split(typed, '%s+', { trimempty = true })
  if lead ~= '' then
    table.remove(words)
  end
  if #words == 0 then
    return require('mux.completion').matching(names(), lead)
  end
  local subcommand = subcommands[words[1]]
  if not subcommand or not subcommand.complete then
    return {}
  end
  return subcommand.complete(lead, vim.list_slice(words, 2))
end

return M
