--- Keep the tasks and open permission requests that the daemon last reported.
local connection = require('mux.connection')
local events = require('mux.events')
local repository = require('mux.repository')

local M = {}

---@type table<string, mux.protocol.TaskShape>
local tasks = {}
---@type table<string, mux.protocol.PermissionShape>
local permissions = {}
local loaded = false
---@type fun(failure: string?)[] the callbacks that wait for the tasks
local waiting = {}

--- The states of a run that has ended.
M.ENDS = { finished = true, failed = true, cancelled = true, interrupted = true }

--- Return the id of a run's task.
---@param run string
---@return string
function M.task_of(run)
  return (run:gsub('%-%d+$', ''))
end

--- Return all tasks, or those of a repository by the path of its root; the newest first.
---@param root? string
---@return mux.protocol.TaskShape[]
function M.tasks(root)
  local found = vim.tbl_filter(function(task)
    return not root or repository.path(task.repository) == root
  end, vim.tbl_values(tasks))
  table.sort(found, function(one, other)
    if one.created ~= other.created then
      return one.created > other.created
    end
    return one.id > other.id
  end)
  return found
end

---@param id string
---@return mux.protocol.TaskShape?
function M.task(id)
  return tasks[id]
end

---@param id string
---@return mux.protocol.RunShape?
function M.run(id)
  local task = tasks[M.task_of(id)]
  return task and vim.iter(task.runs):find(function(run)
    return run.id == id
  end)
end

--- Return the open permission requests, the oldest first.
---@return mux.protocol.PermissionShape[]
function M.permissions()
  local found = vim.tbl_values(permissions)
  table.sort(found, function(one, other)
    return #one.id == #other.id and one.id < other.id or #one.id < #other.id
  end)
  return found
end

---@param task mux.protocol.TaskShape
---@return boolean
local function has_ended(task)
  return task.state == 'ended'
end

---@param params mux.protocol.TaskChangedParams
function M.task_changed(params)
  local task = params.task
  if params.deleted then
    tasks[task.id] = nil
    return events.emit(events.names.task_deleted, { task = task })
  end
  local before = tasks[task.id]
  tasks[task.id] = task
  events.emit(events.names.task_changed, { task = task })
  if before and has_ended(task) and not has_ended(before) then
    events.emit(events.names.task_ended, { task = task })
  end
end

--- Update the state of a task from its runs.
---@param task mux.protocol.TaskShape
local function update_state(task)
  local has_ended_now = vim.iter(task.runs):all(function(run)
    return M.ENDS[run.state]
  end)
  local state = has_ended_now and 'ended' or 'running'
  if state == task.state then
    return
  end
  task.state = state
  if has_ended_now then
    events.emit(events.names.task_ended, { task = task })
  end
end

---@param params mux.protocol.RunChangedParams
function M.run_changed(params)
  local run = params.run
  local task = tasks[run.task]
  if not task then
    return
  end
  local known = false
  for index, one in ipairs(task.runs) do
    if one.id == run.id then
      task.runs[index], known = run, true
    end
  end
  if not known then
    table.insert(task.runs, run)
  end
  events.emit(events.names.run_changed, params)
  local pattern = events.names['run_' .. run.state]
  if pattern and not M.ENDS[params.previous] then
    events.emit(pattern, { run = run })
  end
  update_state(task)
end

---@param permission mux.protocol.PermissionShape
function M.permission_requested(permission)
  permissions[permission.id] = permission
  events.emit(events.names.permission_requested, { permission = permission })
end

---@param params mux.protocol.PermissionSettledParams
function M.permission_settled(params)
  if permissions[params.id] then
    permissions[params.id] = nil
    events.emit(events.names.permission_settled, params)
  end
end

---@param failure string?
local function call_back(failure)
  local callbacks = waiting
  waiting = {}
  for _, callback in ipairs(callbacks) do
    callback(failure)
  end
end

--- Call back when the tasks are loaded: at once, or after connecting; with the reason where that fails.
---@param done fun(failure: string?)
function M.when_loaded(done)
  if loaded then
    return done()
  end
  table.insert(waiting, done)
  connection.request('mux.status', {}, function(_, failure)
    if failure then
      call_back(failure)
    end
  end)
end

--- Load everything, after connecting.
---@param done fun()
function M.load(done)
  connection.request('mux.task.list', {}, function(result)
    if not result then
      return -- the connection was lost again
    end
    tasks = {}
    for _, task in ipairs(result.tasks) do
      tasks[task.id] = task
    end
    connection.request('mux.permission.list', {}, function(open)
      local before = permissions
      permissions = {}
      for id, one in pairs(before) do
        events.emit(events.names.permission_settled, { id = id, task = one.task, answer = '' })
      end
      for _, permission in ipairs(open and open.permissions or {}) do
        M.permission_requested(permission)
      end
      loaded = true
      call_back()
      done()
    end)
  end)
end

return M
