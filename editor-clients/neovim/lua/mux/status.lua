--- What goes on, in few words: for the statusline, for messages, for `:Mux status` and `:Mux agents`.
local config = require('mux.config')
local connection = require('mux.connection')
local events = require('mux.events')
local places = require('mux.places')
local repository = require('mux.repository')
local safe = require('mux.safe')
local store = require('mux.store')
local tell = require('mux.tell')

local M = {}

--- Whether anybody has our words in a line, which is drawn anew when they change.
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

--- Words for a 'statusline', "" where there is nothing to say.
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
local function spent_words(spent)
  return ('$%.2f and %s spent today'):format(spent.cost_usd, require('mux.words').tokens(spent.tokens))
end

--- Say what the daemon does and takes up.
function M.say()
  local root = repository.here()
  connection.ask('mux.status', {}, function(answer)
    local runs = answer.unfinished_runs
    local version, working = safe.line(answer.version), ('%d unfinished %s'):format(runs, runs == 1 and 'run' or 'runs')
    local lines = { ('mux-lsp %s, pid %d: %s, %s'):format(version, answer.pid, working, spent_words(answer.spent)) }
    for _, one in ipairs(answer.repositories) do
      if repository.path(one.repository) == root then
        table.insert(lines, ('here: %s of disk, %d worktrees'):format(size_of(one.disk_bytes), one.worktrees))
      end
    end
    tell.info(table.concat(lines, '\n'))
  end)
end

--- Say which agents there are.
function M.agents()
  connection.ask('mux.agent.list', {}, function(answer)
    local lines = {} ---@type string[]
    for _, agent in ipairs(answer.agents) do
      local state = agent.installed == false and 'not installed' or agent.logged_in == false and 'no login' or 'ready'
      local default = vim.tbl_contains(answer.defaults, agent.name) and ' (default)' or ''
      table.insert(lines, ('%-16s %-14s %s%s'):format(safe.line(agent.name), agent.kind, state, default))
    end
    tell.info(table.concat(lines, '\n'))
  end)
end

--- Keep the statusline up to date, and tell when tasks of repositories that are open here have ended.
function M.setup()
  for _, name in ipairs({ 'connected', 'task_changed', 'task_deleted', 'run_changed', 'places_changed' }) do
    events.on(events.names[name], redraw_soon)
  end
  events.on(events.names.task_ended, function(data)
    local task = data.task ---@type mux.protocol.TaskShape
    local ours = vim.iter(vim.api.nvim_list_bufs()):any(function(buf)
      return vim.api.nvim_buf_is_loaded(buf) and repository.of(buf) == repository.path(task.repository)
    end)
    if ours and config.get().notify then
      tell.info(require('mux.words').ended(task))
    end
  end)
end

return M
