--- Map the keys of the plugin's windows, and show their help with `g?`.
local notify = require('mux.notify')
local store = require('mux.store')
local target = require('mux.target')

local M = {}

---@class mux.Key
---@field key string
---@field desc string
---@field action fun()

--- Return an action on the task or the run at the cursor.
---@param action fun(id: string)
---@return fun()
local function with_id(action)
  return function()
    local id = target.id_here()
    if id then
      action(id)
    end
  end
end

--- Return an action on the run at the cursor.
---@param action fun(run: string)
---@return fun()
local function with_run(action)
  return with_id(function(id)
    local run = target.run_of(id)
    if run then
      return action(run)
    end
    notify.warn('no run at the cursor: move it to the line of one')
  end)
end

local close = {
  key = 'q',
  desc = 'close the window',
  action = function()
    pcall(vim.api.nvim_win_close, 0, false)
  end,
}

local on_runs = {
  {
    key = 'd',
    desc = 'show the diff of a file of the run',
    action = with_run(function(run)
      require('mux.diff').open(run)
    end),
  },
  {
    key = 'a',
    desc = 'accept all changes of the run',
    action = with_run(function(run)
      require('mux.review').whole_run('accept', run, {})
    end),
  },
  {
    key = 'x',
    desc = 'reject all changes of the run',
    action = with_run(function(run)
      require('mux.review').whole_run('reject', run, {})
    end),
  },
  {
    key = 'c',
    desc = 'continue the run with a message',
    action = with_run(function(run)
      require('mux.prompt').continue(run)
    end),
  },
  {
    key = 'r',
    desc = 'run its prompt again, as a new run',
    action = with_run(function(run)
      require('mux.lifecycle').retry(run)
    end),
  },
  {
    key = 'C',
    desc = 'cancel the run, or all runs of the task',
    action = with_id(function(id)
      require('mux.lifecycle').cancel(id)
    end),
  },
  {
    key = 'p',
    desc = 'accept all changes of the run and discard the others',
    action = with_run(function(run)
      require('mux.lifecycle').pick(run)
    end),
  },
  {
    key = 'D',
    desc = 'discard the run, or all runs of the task',
    action = with_id(function(id)
      require('mux.lifecycle').discard(id)
    end),
  },
  {
    key = 'u',
    desc = 'restore it',
    action = with_id(function(id)
      require('mux.lifecycle').restore(id)
    end),
  },
  {
    key = '=',
    desc = 'compare the runs of the task',
    action = with_id(function(id)
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
      desc = 'open the transcript; on a task with several runs, compare them',
      action = with_id(function(id)
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
      desc = 'open the transcript of the run in this line',
      action = with_run(function(run)
        require('mux.document').transcript(run)
      end),
    },
  }, on_runs),
  diff = { close },
}

--- Show the keys in a floating window, until one of them is pressed or the window is left.
---@param keys mux.Key[]
local function help(keys)
  local lines, width = {}, 1 ---@type string[], integer
  for _, one in ipairs(keys) do
    table.insert(lines, (' %-5s %s '):format(one.key, one.desc))
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
        one.action()
      end
    end, { buffer = buf, nowait = true })
  end
  for _, key in ipairs({ '<Esc>', 'g?' }) do
    vim.keymap.set('n', key, leave, { buffer = buf, nowait = true })
  end
  vim.api.nvim_create_autocmd('WinLeave', { buffer = buf, once = true, callback = leave })
end

--- Map the keys in a buffer of the plugin.
---@param buf integer
---@param kind string
function M.map(buf, kind)
  local keys = M.keys[kind]
  for _, one in ipairs(keys) do
    vim.keymap.set('n', one.key, one.action, { buffer = buf, nowait = true, desc = 'mux: ' .. one.desc })
  end
  vim.keymap.set('n', 'g?', function()
    help(keys)
  end, { buffer = buf, desc = 'mux: show the keys of this window' })
end

return M
