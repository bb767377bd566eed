--- Show what is running: in the statusline, in messages, and for `:Mux status` and `:Mux agents`.
local config = require('mux.config')
local connection = require('mux.connection')
local events = require('mux.events')
local places = require('mux.places')
local repository = require('mux.repository')
local sanitize = require('mux.sanitize')
local store = require('mux.store')
local notify = require('mux.notify')

local M = {}

--- `used`: a statusline uses the text and must be redrawn when it changes. `planned`: a redraw is scheduled.
local used, planned = false, false

local function redraw_soon()
  if used and not planned then
    planned = true
    vim.schedule(function()
      planned = false
      vim.cmd('redrawstatus!')
    end)
  end
end

--- Return the text for a 'statusline', "" where nothing is running or open.
---@return string
function M.line()
  used = true
  local working, waiting = 0, 0
  for _, task in ipairs(store.tasks(repository.here())) do
    for _, run in ipairs(task.runs) do
      if run.state == 'waiting' then
        waiting = waiting + 1
      elseif not store.ENDS[run.state] then
        working = working + 1
      end
    end
  end
  local parts = {} ---@type string[]
  if working > 0 then
    table.insert(parts, ('%d working'):format(working))
  end
  if waiting > 0 then
    table.insert(parts, ('%d waiting'):format(waiting))
  end
  local here = places.count(vim.api.nvim_get_current_buf())
  if here > 0 then
    table.insert(parts, ('%d to review'):format(here))
  end
  return #parts > 0 and 'mux: ' .. table.concat(parts, ', ') or ''
end

---@param size number bytes
---@return string
local function size_of(size)
  local units = { 'B', 'KB', 'MB', 'GB' }
  local unit = 1
  while size >= 1000 and unit < #units do
    size, unit = size / 1000, unit + 1
  end
  return ('%.0f %s'):format(size, units[unit])
end

---@param spent mux.protocol.SpentShape
---@return string
local function spent_today(spent)
  return ('$%.2f and %s spent today'):format(spent.cost_usd, require('mux.format').tokens(spent.tokens))
end

--- Show the daemon's version, its unfinished runs, cost and disk usage.
function M.show()
  local root = repository.here()
  connection.call('mux.status', {}, function(status)
    local runs = status.unfinished_runs
    local version, working =
      sanitize.line(status.version), ('%d unfinished %s'):format(runs, runs == 1 and 'run' or 'runs')
    local lines = { ('mux-lsp %s, pid %d: %s, %s'):format(version, status.pid, working, spent_today(status.spent)) }
    for _, one in ipairs(status.repositories) do
      if repository.path(one.repository) == root then
        table.insert(lines, ('here: %s on disk, %d worktrees'):format(size_of(one.disk_bytes), one.worktrees))
      end
    end
    notify.info(table.concat(lines, '\n'))
  end)
end

--- List the agents.
function M.show_agents()
  connection.call('mux.agent.list', {}, function(result)
    local lines = {} ---@type string[]
    for _, agent in ipairs(result.agents) do
      local state = agent.installed == false and 'not installed' or agent.logged_in == false and 'no login' or 'ready'
      local default = vim.tbl_contains(result.defaults, agent.name) and ' (default)' or ''
      table.insert(lines, ('%-16s %-14s %s%s'):format(sanitize.line(agent.name), agent.kind, state, default))
    end
    notify.info(table.concat(lines, '\n'))
  end)
end

--- Keep the statusline up to date, and notify when a task of an open repository has ended.
function M.setup()
  for _, name in ipairs({ 'connected', 'task_changed', 'task_deleted', 'run_changed', 'places_changed' }) do
    events.on(events.names[name], redraw_soon)
  end
  events.on(events.names.task_ended, function(data)
    local task = data.task ---@type mux.protocol.TaskShape
    local is_open = vim.iter(vim.api.nvim_list_bufs()):any(function(buf)
      return vim.api.nvim_buf_is_loaded(buf) and repository.of(buf) == repository.path(task.repository)
    end)
    if is_open and config.get().notify then
      notify.info(require('mux.format').ended(task))
    end
  end)
end

return M
