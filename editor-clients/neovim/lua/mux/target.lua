--- Find the task or the run that a command without an argument is about.
local store = require('mux.store')

local M = {}

--- Return the id of the run or the task at the cursor: in a window of the plugin that of the line, in a text that of the
--- change. Ids in text that agents wrote are ignored.
---@return string?
function M.id_here()
  local buf = vim.api.nvim_get_current_buf()
  local row = vim.api.nvim_win_get_cursor(0)[1]
  if vim.bo[buf].filetype == 'mux-tasks' then
    return require('mux.tasks').id_at(row)
  end
  local subject = require('mux.document').subject(vim.api.nvim_buf_get_name(buf))
  if subject then
    -- A comparison has a table with a row for each run.
    local run = vim.api.nvim_get_current_line():match('^| [%d=]* | (%w+%-%d+) |')
    return run and store.task_of(run) == subject and run or subject
  end
  local found = require('mux.places').at(buf, row - 1, row - 1)[1]
  return found and found.variant.run
end

--- Return the run of an id: the run itself, or the only run of a task.
---@param id string
---@return string?
function M.run_of(id)
  local task = store.task(id)
  return store.run(id) and id or task and #task.runs == 1 and task.runs[1].id or nil
end

return M
