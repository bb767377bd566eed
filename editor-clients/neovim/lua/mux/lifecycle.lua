--- Cancel, discard, restore, pick, retry, delete, pause and resume tasks and runs.
local connection = require('mux.connection')
local notify = require('mux.notify')
local store = require('mux.store')

local M = {}

---@param ids string[]
---@return string
local function listed(ids)
  return #ids > 0 and table.concat(ids, ', ') or 'nothing'
end

--- Cancel a run, or all runs of a task.
---@param id string
function M.cancel(id)
  if id:find('-', 1, true) then
    connection.call('mux.run.cancel', { run = id })
  else
    connection.call('mux.task.cancel', { task = id })
  end
end

--- Discard a run, or all runs of a task, after a confirmation.
---@param id string
function M.discard(id)
  vim.ui.select({ 'keep', 'discard' }, {
    prompt = ('Discard %s?'):format(id),
    kind = 'mux.discard',
  }, function(choice)
    if choice == 'discard' then
      connection.call('mux.task.discard', { id = id }, function(result)
        notify.info(('%s discarded; :Mux restore %s undoes this'):format(listed(result.discarded), id))
      end)
    end
  end)
end

--- Restore a discarded run, or all discarded runs of a task.
---@param id string
function M.restore(id)
  connection.call('mux.task.restore', { id = id }, function(result)
    notify.info(('%s restored'):format(listed(result.restored)))
  end)
end

--- Accept all changes of a run, as they were shown, and discard the other runs of its task.
---@param run string
function M.pick(run)
  local shape = store.run(run)
  connection.call('mux.run.pick', { run = run, result = shape and shape.result }, function(result)
    require('mux.review').report_accepted(result)
    notify.info(('%s accepted, %s discarded'):format(run, listed(result.discarded)))
  end)
end

--- Run the prompt of a run again, as a new run.
---@param run string
function M.retry(run)
  connection.call('mux.run.retry', { run = run }, function(result)
    notify.echo(('%s started'):format(result.run.id))
  end)
end

--- Delete a task or a run with its results, after a confirmation.
---@param id string
function M.delete(id)
  vim.ui.select({ 'keep', 'delete' }, {
    prompt = ('Delete %s and its results permanently?'):format(id),
    kind = 'mux.delete',
  }, function(choice)
    if choice == 'delete' then
      connection.call('mux.task.delete', { id = id }, function()
        notify.info(('%s deleted'):format(id))
      end)
    end
  end)
end

--- Pause a task's queued runs.
---@param id string
function M.pause(id)
  connection.call('mux.task.pause', { task = store.task_of(id) })
end

--- Resume a task's queued runs.
---@param id string
function M.resume(id)
  connection.call('mux.task.resume', { task = store.task_of(id) })
end

return M
