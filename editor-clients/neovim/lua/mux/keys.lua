--- The keys of the windows of ours, and the help that `g?` shows of them.
local connection = require('mux.connection')
local store = require('mux.store')
local tell = require('mux.tell')

local M = {}

---@class mux.Key
---@field key string
---@field what string
---@field does fun()

--- The id of the run, or of the task, that the cursor is at: in a window of ours by what the line is about, else by the
--- change under the cursor. What agents wrote, in which there may be ids, has no say.
---@return string?
function M.id_here()
  local buf = vim.api.nvim_get_current_buf()
  local row = vim.api.nvim_win_get_cursor(0)[1]
  if vim.bo[buf].filetype == 'mux-tasks' then
    return require('mux.tasks').id_at(row)
  end
  local subject = require('mux.document').subject(vim.api.nvim_buf_get_name(buf))
  if subject then
    -- In a comparison each run has its row in a table.
    local run = vim.api.nvim_get_current_line():match('^| [%d=]* | (%w+%-%d+) |')
    return run and store.task_of(run) == subject and run or subject
  end
  local found = require('mux.places').at(buf, row - 1, row - 1)[1]
  return found and found.variant.run
end

---@param does fun(id: string)
---@return fun()
local function with_id(does)
  return function()
    local id = M.id_here()
    if id then
      does(id)
    end
  end
end

--- The run that an id means: its own, or the only one of a task.
---@param id string
---@return string?
function M.run_of(id)
  local task = store.task(id)
  return store.run(id) and id or task and #task.runs == 1 and task.runs[1].id or nil
end

---@param does fun(run: string)
---@return fun()
local function with_run(does)
  return with_id(function(id)
    local run = M.run_of(id)
    if run then
      return does(run)
    end
    tell.warn('which run? Put the cursor in the line of one.')
  end)
end

local close = {
  key = 'q',
  what = 'close the window',
  does = function()
    pcall(vim.api.nvim_win_close, 0, false)
  end,
}

local on_runs = {
  {
    key = 'd',
    what = 'a diff of what the run does to a file',
    does = with_run(function(run)
      require('mux.diff').open(run)
    end),
  },
  {
    key = 'a',
    what = 'accept all that the run did',
    does = with_run(function(run)
      require('mux.review').whole('accept', run, {})
    end),
  },
  {
    key = 'x',
    what = 'reject all that the run did',
    does = with_run(function(run)
      require('mux.review').whole('reject', run, {})
    end),
  },
  {
    key = 'c',
    what = 'have the run go on, with a message',
    does = with_run(function(run)
      require('mux.prompt').continue(run)
    end),
  },
  {
    key = 'r',
    what = 'do once more what the run did, as another run',
    does = with_run(function(run)
      require('mux.keeping').retry(run)
    end),
  },
  {
    key = 'C',
    what = 'cancel the run, or the task',
    does = with_id(function(id)
      M.cancel(id)
    end),
  },
  {
    key = 'p',
    what = 'accept all that the run did and throw the others away',
    does = with_run(function(run)
      require('mux.keeping').pick(run)
    end),
  },
  {
    key = 'D',
    what = 'throw the run away, or the task',
    does = with_id(function(id)
      require('mux.keeping').discard(id)
    end),
  },
  {
    key = 'u',
    what = 'bring it back',
    does = with_id(function(id)
      require('mux.keeping').restore(id)
    end),
  },
  {
    key = '=',
    what = 'compare the runs of the task',
    does = with_id(function(id)
      require('mux.document').compare(store.task_of(id))
    end),
  },
  close,
}

---@type table<string, mux.Key[]> by kind of window
M.keys = {
  tasks = vim.list_extend({
    {
      key = '<CR>',
      what = 'what the run said and did; of a task with several the comparison',
      does = with_id(function(id)
        local task = store.task(id)
        if task and #task.runs > 1 then
          return require('mux.document').compare(id)
        end
        require('mux.document').transcript(task and task.runs[1].id or id)
      end),
    },
  }, on_runs),
  document = vim.list_extend({
    {
      key = '<CR>',
      what = 'what the run in this line said and did',
      does = with_run(function(run)
        require('mux.document').transcript(run)
      end),
    },
  }, on_runs),
  diff = { close },
}

--- Cancel a run or all of a task.
---@param id string
function M.cancel(id)
  if id:find('-', 1, true) then
    connection.ask('mux.run.cancel', { run = id })
  else
    connection.ask('mux.task.cancel', { task = id })
  end
end

--- Show the keys in the middle of the screen, until one of them is pressed, or the window is left.
---@param keys mux.Key[]
local function help(keys)
  local lines, width = {}, 1 ---@type string[], integer
  for _, one in ipairs(keys) do
    table.insert(lines, (' %-5s %s '):format(one.key, one.what))
    width = math.max(width, vim.api.nvim_strwidth(lines[#lines]))
  end
  local buf = vim.api.nvim_create_buf(false, true)
  vim.bo[buf].bufhidden = 'wipe'
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  width = math.min(width, vim.o.columns - 2)
  local height = math.min(#lines, vim.o.lines - vim.o.cmdheight - 2)
  local win = vim.api.nvim_open_win(buf, true, {
    relative = 'editor',
    row = math.max(0, math.floor((vim.o.lines - height) / 2) - 1),
    col = math.max(0, math.floor((vim.o.columns - width) / 2)),
    width = width,
    height = height,
    style = 'minimal',
    border = 'rounded',
    title = ' mux ',
  })
  vim.wo[win].wrap = false
  local function leave()
    pcall(vim.api.nvim_win_close, win, true)
  end
  for _, one in ipairs(keys) do
    vim.keymap.set('n', one.key, function()
      leave()
      if one ~= close then
        one.does()
      end
    end, { buffer = buf, nowait = true })
  end
  for _, key in ipairs({ '<Esc>', 'g?' }) do
    vim.keymap.set('n', key, leave, { buffer = buf, nowait = true })
  end
  vim.api.nvim_create_autocmd('WinLeave', { buffer = buf, once = true, callback = leave })
end

--- Give a buffer of ours its keys.
---@param buf integer
---@param kind string
function M.map(buf, kind)
  local keys = M.keys[kind]
  for _, one in ipairs(keys) do
    vim.keymap.set('n', one.key, one.does, { buffer = buf, nowait = true, desc = 'mux: ' .. one.what })
  end
  vim.keymap.set('n', 'g?', function()
    help(keys)
  end, { buffer = buf, desc = 'mux: the keys of this window' })
end

return M
