--- Throwing runs away, bringing them back, and having tasks wait.
local connection = require('mux.connection')
local store = require('mux.store')
local tell = require('mux.tell')

local M = {}

---@param ids string[]
---@return string
local function listed(ids)
  return #ids > 0 and table.concat(ids, ', ') or 'nothing'
end

--- Throw a run away, or all runs of a task, after asking.
---@param id string
function M.discard(id)
  vim.ui.select({ 'keep', 'discard' }, {
    prompt = ('Throw %s away?'):format(id),
    kind = 'mux.discard',
  }, function(choice)
    if choice == 'discard' then
      connection.ask('mux.task.discard', { id = id }, function(answer)
        tell.info(('%s thrown away; :Mux restore %s brings back'):format(listed(answer.discarded), id))
      end)
    end
  end)
end

--- Bring back what was thrown away.
---@param id string
function M.restore(id)
  connection.ask('mux.task.restore', { id = id }, function(answer)
    tell.info(('%s brought back'):format(listed(answer.restored)))
  end)
end

--- Accept all that a run did, of what was shown of it, and throw the other runs of its task away.
---@param run string
function M.pick(run)
  local shape = store.run(run)
  connection.ask('mux.run.pick', { run = run, result = shape and shape.result }, function(answer)
    require('mux.review').accepted(answer)
    tell.info(('%s accepted, %s thrown away'):format(run, listed(answer.discarded)))
  end)
end

--- Do once more what a run did, from the beginning, as another run.
---@param run string
function M.retry(run)
  connection.ask('mux.run.retry', { run = run }, function(answer)
    tell.say(('%s has begun'):format(answer.run.id))
  end)
end

--- Forget a task or a run with all that it made, after asking.
---@param id string
function M.delete(id)
  vim.ui.select({ 'keep', 'delete' }, {
    prompt = ('Delete %s for good, with all that was made?'):format(id),
    kind = 'mux.delete',
  }, function(choice)
    if choice == 'delete' then
      connection.ask('mux.task.delete', { id = id }, function()
        tell.info(('%s deleted'):format(id))
      end)
    end
  end)
end

--- Have the runs of a task that have not begun wait, or begin after all.
---@param id string
---@param verb 'pause'|'resume'
function M.hold(id, verb)
  connection.ask('mux.task.' .. verb, { task = store.task_of(id) })
end

return M
