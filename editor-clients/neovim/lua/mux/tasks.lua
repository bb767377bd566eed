--- The tasks window: all tasks of the repository with their runs, kept up to date. Each task is a fold.
local config = require('mux.config')
local events = require('mux.events')
local repository = require('mux.repository')
local sanitize = require('mux.sanitize')
local store = require('mux.store')
local notify = require('mux.notify')
local timers = require('mux.timers')
local format = require('mux.format')

local M = {}

--- The name of its buffer.
M.NAME = 'mux:/tasks'

--- Initial height of the window in lines.
local INITIAL_HEIGHT = 4

local colours = vim.api.nvim_create_namespace('mux.tasks')

---@type integer? the buffer of the window
local tasks_buf
---@type mux.Timer? updates the elapsed times while a run is active
local clock
---@type string? the root of the repository whose tasks are shown
local root
local planned = false

---@type string[] the id of the task or the run in each line, '' for a line without one
local ids = {}

---@alias mux.Piece [string, string?] text and its highlight group

--- Join pieces to a line, with the highlighted spans.
---@param pieces mux.Piece[]
---@return string line
---@return [integer, integer, string][] spans
local function line_of(pieces)
  local line, spans = '', {}
  for _, piece in ipairs(pieces) do
    if piece[2] and piece[1] ~= '' then
      table.insert(spans, { #line, #line + #piece[1], piece[2] })
    end
    line = line .. piece[1]
  end
  return (line:gsub('%s+$', '')), spans
end

---@param text string
---@param width integer
---@return string
local function padded(text, width)
  return text .. (' '):rep(width - vim.api.nvim_strwidth(text))
end

---@param run mux.protocol.RunShape
---@return mux.Piece[]
local function run_line(run)
  local cost = run.cost_usd and ('$%.2f'):format(run.cost_usd) or ''
  local tokens = run.tokens and format.tokens(run.tokens) or ''
  local checks = format.checks(run)
  local passed = checks ~= '' and vim.iter(run.checks):all(function(check)
    return check.state == 'passed'
  end)
  local tail = run.reason and run.state ~= 'finished' and sanitize.short(run.reason, 60) or ''
  if run.discarded then
    tail = 'discarded'
  elseif run.queue_place then
    tail = ('queue position %d'):format(run.queue_place)
  end
  local rank = run.rank and ('#%d'):format(run.rank) or ''
  return {
    { '  ' },
    { padded(run.id, 8), 'MuxRun' },
    { padded(rank, 4), 'MuxLabel' },
    { padded(run.state, 12), format.group(run.state) },
    { padded(sanitize.short(format.agent(run), 22), 23), 'MuxAgent' },
    { padded(format.elapsed(run), 8) },
    { padded(format.lines(run), 12) },
    { padded(tokens, 10) },
    { padded(cost, 7) },
    { checks ~= '' and checks .. '  ' or '', passed and 'MuxDone' or 'MuxFailed' },
    { tail, 'MuxReason' },
  }
end

--- Return the lines of the window, and the id of the task or the run in each.
---@return mux.Piece[][] lines
---@return string[] ids
local function content()
  local lines, line_ids = {}, {} ---@type mux.Piece[][], string[]
  for _, task in ipairs(store.tasks(root)) do
    local ended = vim.iter(task.runs):filter(function(run)
      return store.ENDS[run.state]
    end)
    local progress = ('%d/%d  '):format(#ended:totable(), #task.runs)
    table.insert(
      lines,
      { { task.id .. '  ', 'MuxTask' }, { progress, 'MuxLabel' }, { sanitize.short(task.prompt, 100) } }
    )
    table.insert(line_ids, task.id)
    for _, run in ipairs(task.runs) do
      table.insert(lines, run_line(run))
      table.insert(line_ids, run.id)
    end
  end
  if #lines == 0 then
    return { { { 'No task yet. :Mux run PROMPT starts one.', 'MuxLabel' } } }, { '' }
  end
  return lines, line_ids
end

--- Insert and delete lines so that each id has one. Lines that stay are not replaced: cursors and folds stay with them.
---@param buf integer
---@param wanted string[]
local function arrange(buf, wanted)
  local was_empty = (ids[1] or '') == ''
  for row = #ids, 1, -1 do
    if not vim.tbl_contains(wanted, ids[row]) then
      vim.api.nvim_buf_set_lines(buf, row - 1, row, false, {})
      table.remove(ids, row)
    end
  end
  for row, id in ipairs(wanted) do
    if ids[row] ~= id then
      vim.api.nvim_buf_set_lines(buf, row - 1, row - 1, false, { '' })
      table.insert(ids, row, id)
    end
  end
  vim.api.nvim_buf_set_lines(buf, #wanted, -1, false, {})
  ids = wanted
  for _, win in ipairs(was_empty and vim.fn.win_findbuf(buf) or {}) do
    vim.api.nvim_win_set_cursor(win, { 1, 0 })
  end
end

---@param buf integer
local function render(buf)
  local lines, line_ids = content()
  vim.bo[buf].modifiable = true
  arrange(buf, line_ids)
  vim.api.nvim_buf_clear_namespace(buf, colours, 0, -1)
  for row, pieces in ipairs(lines) do
    local line, spans = line_of(pieces)
    if vim.api.nvim_buf_get_lines(buf, row - 1, row, false)[1] ~= line then
      vim.api.nvim_buf_set_lines(buf, row - 1, row, false, { line })
    end
    for _, span in ipairs(spans) do
      local place = { end_col = math.min(span[2], #line), hl_group = span[3] }
      vim.api.nvim_buf_set_extmark(buf, colours, row - 1, math.min(span[1], #line), place)
    end
  end
  vim.api.nvim_buf_set_extmark(buf, colours, 0, 0, {
    virt_text = { { ' g? keys ', 'MuxLabel' } },
    virt_text_pos = 'right_align',
    hl_mode = 'combine',
  })
  vim.bo[buf].modifiable = false
end

---@return boolean
local function is_visible()
  return tasks_buf ~= nil and vim.api.nvim_buf_is_valid(tasks_buf) and #vim.fn.win_findbuf(tasks_buf) > 0
end

---@return boolean
local function is_any_running()
  return vim.iter(store.tasks(root)):any(function(task)
    return task.state == 'running'
  end)
end

local function stop_clock()
  if clock then
    clock:stop()
    clock:close()
    clock = nil
  end
end

--- Grow the window to its number of lines, up to the setting, unless its height was changed by hand.
---@param win integer
local function fit(win)
  local wanted = math.min(#ids, config.get().tasks.height)
  local now = vim.api.nvim_win_get_height(win)
  if vim.w[win].mux_height == now and now < wanted then
    vim.api.nvim_win_set_height(win, wanted)
    vim.w[win].mux_height = vim.api.nvim_win_get_height(win)
  end
end

local function update()
  planned = false
  if not is_visible() then
    return stop_clock()
  end
  render(assert(tasks_buf))
  vim.iter(vim.fn.win_findbuf(assert(tasks_buf))):each(fit)
  if not is_any_running() then
    stop_clock()
  elseif not clock then
    clock = timers.new()
    clock:start(1000, 1000, vim.schedule_wrap(update))
  end
end

--- Schedule one update for all events until then.
local function update_soon()
  if not planned and is_visible() then
    planned = true
    vim.schedule(update)
  end
end

for _, name in ipairs({ 'connected', 'task_changed', 'task_deleted', 'run_changed' }) do
  events.on(events.names[name], update_soon)
end

--- Return the id of the task or the run in a line of the window, counted from 1.
---@param row integer
---@return string?
function M.id_at(row)
  return ids[row] ~= '' and ids[row] or nil
end

--- For 'foldexpr': put the runs in the fold of their task.
---@param line integer
---@return string
function M.fold(line)
  return vim.api.nvim_buf_get_lines(0, line - 1, line, true)[1]:find('^ ') and '1' or '>1'
end

--- Fill a buffer with the tasks, for `BufReadCmd`.
---@param buf integer
function M.read(buf)
  vim.bo[buf].buftype = 'nofile'
  vim.bo[buf].bufhidden = 'hide'
  vim.bo[buf].buflisted = false
  vim.bo[buf].swapfile = false
  vim.bo[buf].undolevels = -1
  vim.bo[buf].filetype = 'mux-tasks'
  require('mux.window_keys').map(buf, 'tasks')
  tasks_buf, ids = buf, {}
  root = root or repository.here()
  vim.b[buf].mux_root = root
  render(buf)
end

---@param buf integer
local function open_window(buf)
  local settings = config.get().tasks
  vim.cmd(settings.split .. ' split')
  local win = vim.api.nvim_get_current_win()
  vim.api.nvim_win_set_buf(win, buf)
  if settings.split:find('vertical') then
    vim.api.nvim_win_set_width(win, settings.width)
  else
    vim.api.nvim_win_set_height(win, math.min(INITIAL_HEIGHT, settings.height))
    vim.w[win].mux_height = vim.api.nvim_win_get_height(win)
  end
  local options = {
    number = false,
    relativenumber = false,
    wrap = false,
    signcolumn = 'no',
    foldmethod = 'expr',
    foldexpr = "v:lua.require'mux.tasks'.fold(v:lnum)",
    foldlevel = 1,
    foldenable = true,
    foldtext = '',
    fillchars = 'fold: ',
    cursorline = true,
    winfixheight = true,
  }
  for name, value in pairs(options) do
    vim.api.nvim_set_option_value(name, value, { win = win, scope = 'local' })
  end
end

--- Open the tasks window, or go to it; with an id, put the cursor on that task or run.
---@param id? string
function M.open(id)
  root = repository.here() or root
  require('mux.highlights').setup()
  local buf = vim.fn.bufadd(M.NAME)
  vim.b[buf].mux_root = root
  local win = vim.fn.win_findbuf(buf)[1]
  if win then
    vim.api.nvim_set_current_win(win)
  else
    open_window(buf)
  end
  -- Loaded tasks are shown at once. Without a connection, connect: the event shows them.
  store.when_loaded(function(failure)
    if failure then
      notify.error(failure)
    end
  end)
  update()
  for row, one in pairs(ids) do
    if one == id then
      vim.api.nvim_win_set_cursor(0, { row, 0 })
    end
  end
end

return M
